import type { ClientBase } from 'pg';
import type { State } from './state.js';

/** Definitions that nobody may start a run of until they are resumed. */
export interface Pause {
  readonly definition: string;
  readonly pausedAt: Date;
}

/** Pauses a definition; one that is paused already stays so. @returns since when. */
export async function pauseDefinition(state: State, definition: string): Promise<Date> {
  await state.pool.query('insert into freshet.paused (definition) values ($1) on conflict do nothing', [
    definition,
  ]);
  const pausedAt = await findPause(state.pool, definition);
  if (pausedAt === null) throw new Error(`${definition} was resumed at the same moment`);
  return pausedAt;
}

/** Ends a pause. Times that its schedule named meanwhile are not made up for. @returns since when it was paused; null when it was not. */
export async function resumeDefinition(state: State, definition: string): Promise<Date | null> {
  const { rows } = await state.pool.query<Pause>(
    `with resumed as (delete from freshet.paused where definition = $1 returning definition, paused_at),
       settled as (
         update freshet.schedule_ticks set settled_until = greatest(settled_until, clock_timestamp())
         where definition in (select definition from resumed))
     select definition, paused_at as "pausedAt" from resumed`,
    [definition],
  );
  return rows[0]?.pausedAt ?? null;
}

/** Since when a definition is paused; null = it is not. */
export async function findPause(
  queryable: Pick<ClientBase, 'query'>,
  definition: string,
): Promise<Date | null> {
  const { rows } = await queryable.query<{ at: Date }>(
    'select paused_at as at from freshet.paused where definition = $1',
    [definition],
  );
  return rows[0]?.at ?? null;
}

export async function listPaused(state: State): Promise<Pause[]> {
  const { rows } = await state.pool.query<Pause>(
    'select definition, paused_at as "pausedAt" from freshet.paused order by definition',
  );
  return rows;
}
