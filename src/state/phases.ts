import type { ClientBase } from 'pg';
import type { State } from './state.js';
import type { PhaseState } from './words.js';

export interface Phase {
  readonly name: string;
  readonly ordinal: number;
  readonly state: PhaseState;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly progressDone: number;
  readonly progressTotal: number | null;
  readonly unit: string | null;
  readonly result: Record<string, unknown> | null;
}

/** Writes the run's list of phases as pending, in the transaction that inserts the run. */
export async function planPhases(client: ClientBase, runId: string, names: readonly string[]): Promise<void> {
  await client.query(
    `insert into freshet.phases (run_id, ordinal, name, state)
     select $1, ordinal, name, 'pending' from unnest($2::text[]) with ordinality as planned (name, ordinal)`,
    [runId, names],
  );
}

/** What an earlier try or attempt of the run made of a phase: its result when it is done. */
export async function findPhaseResult(
  state: State,
  runId: string,
  name: string,
): Promise<Record<string, unknown> | null> {
  const { rows } = await state.pool.query<{ result: Record<string, unknown> | null }>(
    `select result from freshet.phases where run_id = $1 and name = $2 and state = 'done'`,
    [runId, name],
  );
  return rows[0]?.result ?? null;
}

const asPending = `state = 'pending', started_at = null, finished_at = null, progress_done = 0, progress_total = null, unit = null,
  result = null`;

/** For another attempt, in its transaction: pending again are the phases that are not done, and those named `again`. */
export async function resetPhases(
  client: ClientBase,
  runId: string,
  again: readonly string[],
): Promise<void> {
  await client.query(
    `update freshet.phases set ${asPending}
     where run_id = $1 and (state not in ('done', 'skipped') or name = any($2::text[]))`,
    [runId, again],
  );
}

/** In the caller's transaction: pending again are the phase `from` and all after it, and those named `also`. */
export async function resetPhasesFrom(
  client: ClientBase,
  runId: string,
  from: string,
  also: readonly string[] = [],
): Promise<void> {
  await client.query(
    `update freshet.phases set ${asPending}
     where run_id = $1 and (name = any($3::text[])
       or ordinal >= (select ordinal from freshet.phases where run_id = $1 and name = $2))`,
    [runId, from, also],
  );
}

/** Pending again are these phases of an attempt that goes on. */
export async function repeatPhases(state: State, runId: string, names: readonly string[]): Promise<void> {
  await state.pool.query(
    `update freshet.phases set ${asPending} where run_id = $1 and name = any($2::text[])`,
    [runId, names],
  );
}

export async function startPhase(state: State, runId: string, name: string): Promise<void> {
  await state.pool.query(
    `update freshet.phases set state = 'running', started_at = coalesce(started_at, clock_timestamp()),
       finished_at = null, progress_done = 0 where run_id = $1 and name = $2`,
    [runId, name],
  );
}

export async function setProgress(
  state: State,
  runId: string,
  name: string,
  progress: { done: number; total: number | null; unit: string },
): Promise<void> {
  await state.pool.query(
    `update freshet.phases set progress_done = $3, progress_total = $4, unit = $5 where run_id = $1 and name = $2`,
    [runId, name, progress.done, progress.total, progress.unit],
  );
}

export async function finishPhase(
  state: State,
  runId: string,
  name: string,
  to: PhaseState,
  result: object | null,
): Promise<void> {
  await state.pool.query(
    `update freshet.phases set state = $3, finished_at = clock_timestamp(), result = $4 where run_id = $1 and name = $2`,
    [runId, name, to, result === null ? null : JSON.stringify(result)],
  );
}

export async function listPhases(state: State, runId: string): Promise<Phase[]> {
  const { rows } = await state.pool.query<Phase>(
    `select name, ordinal, state, started_at as "startedAt", finished_at as "finishedAt", progress_done as "progressDone",
       progress_total as "progressTotal", unit, result
     from freshet.phases where run_id = $1 order by ordinal`,
    [runId],
  );
  return rows;
}
