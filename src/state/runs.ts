import type { ClientBase } from 'pg';
import type { ErrorDetails } from '../errors.js';
import { version } from '../version.js';
import type { State } from './state.js';
import type { Flow, RunState } from './words.js';

/** What a run was asked to do; stored with it, never holds a secret. */
export interface RunParameters {
  readonly indexSuffix: string;
  /** The live tables stay. */
  readonly skipCopyData: boolean;
  readonly allowConcurrent: boolean;
  /** Rows copied at most; null = all. */
  readonly recordLimit: number | null;
  /** filtered-index flow: the suffix of the index that it is built from. rollback flow: of the main index. */
  readonly originSuffix: string | null;
  /** filtered-index flow: the suffix of the index that it builds. rollback flow: of the filtered index. */
  readonly destinationSuffix: string | null;
  /** Stop before the promotion; `freshet promote` goes on. Absent in runs of older releases: false. */
  readonly hold?: boolean;
  /** Of a run that was to hold: `freshet promote` has been asked for. False again while it is held. */
  readonly released?: boolean;
  /** Of a released run: its promotion windows do not count. */
  readonly anyTime?: boolean;
  /** rollback flow: ids of the generation that is taken back, and of the one that becomes live again. */
  readonly rollback?: { readonly from: string; readonly to: string };
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
  /** 1, and one more for each retry or promotion of a held run. */
  readonly attempt: number;
  readonly cancelRequestedAt: Date | null;
  /** Since when something of the run may be live, in whichever attempt; null again when a promotion ended without having changed anything. */
  readonly promotionBeganAt: Date | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

const columns = `id, definition, environment, media, flow, parameters, state, error, attempt, cancel_requested_at as "cancelRequestedAt",
  promotion_began_at as "promotionBeganAt", created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt"`;

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

/** The newest rollback of a media type, whatever has become of it. */
export async function findLastRollback(
  state: State,
  environment: string,
  media: string,
): Promise<Run | null> {
  const { rows } = await state.pool.query<Run>(
    `select ${columns} from freshet.runs
     where environment = $1 and media = $2 and flow = 'rollback' order by created_at desc limit 1`,
    [environment, media],
  );
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
 * The promotion begins: from now on the run can no more be cancelled. Either this or a cancellation is first, never both.
 * @returns false when the run was cancelled before.
 */
export async function beginPromotion(state: State, id: string): Promise<boolean> {
  const { rowCount } = await state.pool.query(
    `update freshet.runs set state = 'promoting', promotion_began_at = coalesce(promotion_began_at, now())
     where id = $1 and finished_at is null and cancel_requested_at is null`,
    [id],
  );
  return rowCount === 1;
}

/** The promotion ended, or waits for its next try, and is known to have changed nothing: the run may be cancelled, or begin before it. */
export async function withdrawPromotion(state: State, id: string): Promise<void> {
  await state.pool.query(
    'update freshet.runs set promotion_began_at = null where id = $1 and finished_at is null',
    [id],
  );
}

/**
 * Asks for the end of a run that is under way and whose promotion has not begun. @returns false when there is none such. A held run is under
 * nobody's way: another attempt of it has to look at the request.
 */
export async function requestCancel(state: State, id: string): Promise<boolean> {
  const { rowCount } = await state.pool.query(
    `update freshet.runs set cancel_requested_at = coalesce(cancel_requested_at, now())
     where id = $1 and finished_at is null and state <> 'held' and promotion_began_at is null`,
    [id],
  );
  return rowCount === 1;
}

/** The kind of event that tells who is in the way of a promotion. */
export const blockedEvent = 'promotion.blocked';

/** The kind of event that tells that the promotion of a run that had given up is whole. */
export const finishedEvent = 'promotion.finished';

/** Whether an event of this kind was told of the run. */
export async function hasEvent(state: State, id: string, kind: string): Promise<boolean> {
  const { rows } = await state.pool.query<{ there: boolean }>(
    'select exists (select from freshet.events where run_id = $1 and kind = $2) as there',
    [id, kind],
  );
  return rows[0]?.there === true;
}

export async function isCancelRequested(state: State, id: string): Promise<boolean> {
  const { rows } = await state.pool.query<{ requested: boolean }>(
    'select cancel_requested_at is not null as requested from freshet.runs where id = $1',
    [id],
  );
  return rows[0]?.requested === true;
}

/**
 * A run that stops before its promotion: its candidate stays, the environment is free. Repeated it changes nothing.
 * @param error why a promotion by command did not come about; null = it was to hold.
 * @returns false when the run was cancelled meanwhile, so that it must end instead.
 */
export async function holdRun(
  state: State,
  { id, attempt }: RunAttempt,
  error: RunError | null,
): Promise<boolean> {
  await state.pool.query(
    `with held as (
       update freshet.runs set state = 'held', error = $3, parameters = parameters || '{"released": false, "anyTime": false}'
       where id = $1 and attempt = $2 and finished_at is null and cancel_requested_at is null returning id)
     delete from freshet.leases where run_id in (select id from held)`,
    [id, attempt, error],
  );
  return !(await isCancelPending(state, { id, attempt }));
}

/** A run of the same tables that began after this one ended: it removed what this one had made, or made it old. */
export async function findLaterRun(queryable: Pick<ClientBase, 'query'>, run: Run): Promise<Run | null> {
  const { rows } = await queryable.query<Run>(
    `select ${columns} from freshet.runs
     where environment = $1 and media = $2 and id <> $3 and started_at > $4 order by started_at limit 1`,
    [run.environment, run.media, run.id, run.finishedAt],
  );
  return rows[0] ?? null;
}

/** Keeps the sweeper away from an environment for the rest of the caller's transaction, or the run's retry from what is being swept. */
export async function lockSweep(client: ClientBase, environment: string): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(hashtextextended('freshet.sweep ' || $1, 0))`, [
    environment,
  ]);
}

/**
 * Begins another attempt of a run, in the caller's transaction; the engine's entry is written in the same one.
 * @returns the number of the attempt, or null when the run is in none of the states `from`.
 */
export async function beginAttempt(
  client: ClientBase,
  { id, environment }: Pick<Run, 'id' | 'environment'>,
  from: readonly RunState[],
): Promise<number | null> {
  await lockSweep(client, environment);
  const { rows } = await client.query<{ attempt: number }>(
    `update freshet.runs set attempt = attempt + 1, state = 'queued', error = null, finished_at = null, cancel_requested_at = null
     where id = $1 and state = any($2::text[]) returning attempt`,
    [id, from],
  );
  return rows[0]?.attempt ?? null;
}

/** One attempt of a run. What an older one writes late, after a crash between its end and the engine's note of it, must not count. */
export type RunAttempt = Pick<Run, 'id' | 'attempt'>;

/**
 * Ends a run and frees its environment, together or not at all: a lease without its run would hold the environment for ever. The first end of
 * the attempt counts: a repeated step changes nothing.
 * @returns false when the run was to end as failed or refused, and was cancelled meanwhile: whoever cancelled it was told that it will be
 * cancelled.
 */
export async function endRun(
  state: State,
  { id, attempt }: RunAttempt,
  to: RunState,
  error: RunError | null,
): Promise<boolean> {
  await state.pool.query(
    `with ended as (
       update freshet.runs set state = $3, error = $4, finished_at = now()
       where id = $1 and attempt = $2 and finished_at is null
         and (cancel_requested_at is null or $3 in ('cancelled', 'succeeded')) returning id)
     delete from freshet.leases where run_id in (select id from ended)`,
    [id, attempt, to, error],
  );
  return !(await isCancelPending(state, { id, attempt }));
}

async function isCancelPending(state: State, { id, attempt }: RunAttempt): Promise<boolean> {
  const { rows } = await state.pool.query(
    'select 1 from freshet.runs where id = $1 and attempt = $2 and finished_at is null and cancel_requested_at is not null',
    [id, attempt],
  );
  return rows.length > 0;
}
