import { recordLostRuns, type LostRun, type StateReader } from './knownRuns.js';
import type { State } from './state.js';
import type { GenerationState } from './words.js';

/** What a promotion makes live together: tables, main index, filtered index. Parts may be shared with another generation. */
export interface Generation {
  readonly id: string;
  readonly environment: string;
  readonly media: string;
  readonly runId: string;
  readonly state: GenerationState;
  /** Downstream table name → oid of the generation's table. */
  readonly tables: Readonly<Record<string, number>>;
  readonly mainIndex: string;
  readonly filteredIndex: string;
  readonly createdAt: Date;
  readonly promotedAt: Date | null;
}

const columns = `id, environment, media, run_id as "runId", state, tables, main_index as "mainIndex",
  filtered_index as "filteredIndex", created_at as "createdAt", promoted_at as "promotedAt"`;

/** Records a generation as candidate; a repeated step overwrites its own. The id is the run's. */
export async function recordCandidate(
  state: State,
  generation: Pick<Generation, 'environment' | 'media' | 'runId' | 'tables' | 'mainIndex' | 'filteredIndex'>,
): Promise<void> {
  await state.pool.query(
    `insert into freshet.generations (id, environment, media, run_id, state, tables, main_index, filtered_index)
     values ($1, $2, $3, $1, 'candidate', $4, $5, $6)
     on conflict (id) do update set tables = excluded.tables, main_index = excluded.main_index, filtered_index = excluded.filtered_index,
       state = case when generations.state = 'gone' then 'candidate' else generations.state end, gone_at = null`,
    [
      generation.runId,
      generation.environment,
      generation.media,
      generation.tables,
      generation.mainIndex,
      generation.filteredIndex,
    ],
  );
}

/** What the swap made live. */
export async function recordCandidateTables(
  state: State,
  id: string,
  tables: Readonly<Record<string, number>>,
): Promise<void> {
  await state.pool.query('update freshet.generations set tables = $2 where id = $1', [id, tables]);
}

/** The candidate is live now, what was live is previous, what was previous before is gone when its parts are dropped. */
export async function recordPromotion(state: State, runId: string): Promise<void> {
  await state.pool.query(
    `with promoted as (select environment, media from freshet.generations where id = $1)
     update freshet.generations g set
       state = case when g.id = $1 then 'live' when g.state = 'live' then 'previous' else g.state end,
       promoted_at = case when g.id = $1 then coalesce(g.promoted_at, clock_timestamp()) else g.promoted_at end
     from promoted p
     where g.environment = p.environment and g.media = p.media
       and (select state from freshet.generations where id = $1) <> 'live'
       and (g.id = $1 or g.state = 'live')`,
    [runId],
  );
}

/**
 * A generation that was previous is live again, what was live is previous; both runs say so: the one that was taken back is `rolled back` until
 * another rollback goes forward to it. Repeated it changes nothing.
 */
export async function recordRollback(state: State, id: string): Promise<void> {
  await state.pool.query(
    `with again as (select * from freshet.generations where id = $1 and state <> 'live'),
     replaced as (
       select g.* from freshet.generations g join again a using (environment, media) where g.state = 'live'),
     moved as (
       update freshet.generations g set
         state = case when g.id = $1 then 'live' else 'previous' end,
         promoted_at = case when g.id = $1 then clock_timestamp() else g.promoted_at end, gone_at = null
       where g.id in (select id from again union all select id from replaced))
     update freshet.runs r set state = case when r.id = $1 then 'succeeded' else 'rolled back' end
     where r.finished_at is not null and (r.id = $1 and r.state = 'rolled back'
       or r.id in (select p.run_id from replaced p, again a where p.created_at > a.created_at) and r.state = 'succeeded')`,
    [id],
  );
}

/** The parts of these generations are dropped. */
export async function recordGone(state: State, ids: readonly string[]): Promise<void> {
  await state.pool.query(
    `update freshet.generations set state = 'gone', gone_at = now() where id = any($1::text[])`,
    [ids],
  );
}

/** Live and previous of every environment, and candidates. */
export async function listPresentGenerations(db: StateReader): Promise<Generation[]> {
  const { rows } = await db.query<Generation>(
    `select ${columns} from freshet.generations where state <> 'gone' order by coalesce(promoted_at, created_at) desc`,
  );
  return rows;
}

/** A generation that the marks tell of and the state does not know (a lost state, or one restored from a backup). */
export type FoundGeneration = Pick<
  Generation,
  'environment' | 'media' | 'runId' | 'tables' | 'mainIndex' | 'filteredIndex'
> & { readonly promotedAt: Date };

/**
 * Writes what the marks say is live and previous, with their runs, in one transaction; whatever the state took for it before is no longer.
 * Where the marks know no previous one, what this state had as live (or as previous) stays as that.
 * @returns false when the state knows the live one by now.
 */
export async function adoptGenerations(
  state: State,
  {
    runs,
    live,
    previous,
  }: {
    readonly runs: readonly LostRun[];
    readonly live: FoundGeneration;
    readonly previous: FoundGeneration | null;
  },
): Promise<boolean> {
  const client = await state.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(hashtextextended('freshet.adopt', 0))`);
    const { rows: known } = await client.query('select from freshet.generations where id = $1', [live.runId]);
    if (known.length > 0) {
      await client.query('rollback');
      return false;
    }
    await recordLostRuns(client, runs);
    const ids = [live.runId, ...(previous === null ? [] : [previous.runId])];
    await client.query(
      `update freshet.generations set state = case when $4 then 'gone' else 'previous' end
       where environment = $1 and media = $2 and state in ('live', 'previous') and id <> all($3::text[])`,
      [live.environment, live.media, ids, previous !== null],
    );
    for (const [generation, word] of [[live, 'live'] as const, [previous, 'previous'] as const]) {
      if (generation === null) continue;
      await client.query(
        `insert into freshet.generations (id, environment, media, run_id, state, tables, main_index, filtered_index, created_at, promoted_at)
         values ($1, $2, $3, $1, $4, $5, $6, $7, $8, $8)
         on conflict (id) do update set state = excluded.state, tables = excluded.tables, main_index = excluded.main_index,
           filtered_index = excluded.filtered_index, promoted_at = excluded.promoted_at, gone_at = null`,
        [
          generation.runId,
          generation.environment,
          generation.media,
          word,
          generation.tables,
          generation.mainIndex,
          generation.filteredIndex,
          generation.promotedAt,
        ],
      );
    }
    await client.query('commit');
    return true;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

/** Generations of a media type, newest first. */
export async function listGenerations(
  state: State,
  environment: string,
  media: string,
): Promise<Generation[]> {
  const { rows } = await state.pool.query<Generation>(
    `select ${columns} from freshet.generations where environment = $1 and media = $2 order by coalesce(promoted_at, created_at) desc`,
    [environment, media],
  );
  return rows;
}
