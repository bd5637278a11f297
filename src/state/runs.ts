import type { ClientBase } from 'pg';
import type { ErrorDetails } from '../errors.js';
import { version } from '../version.js';
import type { State } from './state.js';
import type { Flow, RunState } from './words.js';

/** What a run was asked to do; stored with it, never holds a secret. */
export interface RunParameters {
  readonly indexSuffix: string;
  readonly skipCopyData: boolean;
  readonly allowConcurrent: boolean;
  /** Rows copied at most; null = all. */
  readonly recordLimit: number | null;
  /** filtered-index flow: the suffix of the index that it is built from. */
  readonly originSuffix: string | null;
  /** filtered-index flow: the suffix of the index that it builds. */
  readonly destinationSuffix: string | null;
}

/** Why a run ended without success, for the operator. */
export interface RunError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly phase: string | null;
  readonly details: ErrorDetails;
}

export interface Run {
  readonly id: string;
  readonly definition: string;
  readonly environment: string;
  readonly media: string;
  readonly flow: Flow;
  readonly parameters: RunParameters;
  readonly state: RunState;
  readonly error: RunError | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

const columns = `id, definition, environment, media, flow, parameters, state, error,
  created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt"`;

export type NewRun = Pick<Run, 'id' | 'definition' | 'environment' | 'media' | 'flow' | 'parameters'>;

/** Inserts a run as `queued`, in the caller's transaction: the engine's entry is written in the same one. */
export async function insertRun(client: ClientBase, run: NewRun): Promise<void> {
  await client.query(
    `insert into freshet.runs (id, definition, environment, media, flow, parameters, state, version)
     values ($1, $2, $3, $4, $5, $6, 'queued', $7)`,
    [run.id, run.definition, run.environment, run.media, run.flow, run.parameters, version],
  );
}

export async function findRun(state: State, id: string): Promise<Run | null> {
  const { rows } = await state.pool.query<Run>(`select ${columns} from freshet.runs where id = $1`, [id]);
  return rows[0] ?? null;
}

/** The newest runs first. */
export async function listRuns(state: State, limit: number): Promise<Run[]> {
  const { rows } = await state.pool.query<Run>(
    `select ${columns} from freshet.runs order by created_at desc limit $1`,
    [limit],
  );
  return rows;
}

/** Runs that are not over, of one environment or (null) of all. */
export async function listUnfinishedRuns(state: State, environment: string | null): Promise<Run[]> {
  const { rows } = await state.pool.query<Run>(
    `select ${columns} from freshet.runs
     where ($1::text is null or environment = $1) and finished_at is null order by created_at`,
    [environment],
  );
  return rows;
}

/** Whether a run is known to be over: only then may what it left be removed. A run that this state does not know is not known to be over. */
export async function isRunOver(state: State, id: string): Promise<boolean> {
  const { rows } = await state.pool.query(
    `select 1 from freshet.runs where id = $1 and finished_at is not null`,
    [id],
  );
  return rows.length > 0;
}

/** Moves a run that is not over to another state that is not final. */
export async function setRunState(state: State, id: string, to: RunState): Promise<void> {
  await state.pool.query(
    `update freshet.runs set state = $2, started_at = coalesce(started_at, case when $2 = 'running' then now() end)
     where id = $1 and finished_at is null`,
    [id, to],
  );
}

/**
 * Ends a run and frees its environment, together or not at all: a lease without its run would hold the environment for ever. The first end
 * counts: a repeated step changes nothing.
 */
export async function endRun(state: State, id: string, to: RunState, error: RunError | null): Promise<void> {
  await state.pool.query(
    `with freed as (delete from freshet.leases where run_id = $1)
     update freshet.runs set state = $2, error = $3, finished_at = now() where id = $1 and finished_at is null`,
    [id, to, error],
  );
}
