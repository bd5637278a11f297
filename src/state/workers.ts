import type { State } from './state.js';
import type { WorkerState } from './words.js';

export interface WorkerRecord {
  readonly id: string;
  readonly fleet: string;
  readonly state: WorkerState;
  readonly url: string | null;
  readonly pid: number | null;
  /** Of its document builders, once it was ready. */
  readonly documentDigest: string | null;
}

/** The process of a local worker: a pid alone may be another process' by now. */
export interface WorkerProcess {
  readonly pid: number;
  readonly host: string;
  /** Null where the system does not tell. */
  readonly startedAt: string | null;
}

/** A worker that was not seen to end, of a run that is over. */
export interface LeftWorker {
  readonly id: string;
  readonly runId: string;
  readonly fleet: string;
  /** Null: it was never seen to be ready. */
  readonly process: WorkerProcess | null;
}

/** Records a worker before it is created, so that none can exist without a row (I8). */
export async function requestWorker(state: State, runId: string, id: string, fleet: string): Promise<void> {
  await state.pool.query(
    `insert into freshet.workers (run_id, id, fleet, state) values ($1, $2, $3, 'requested') on conflict do nothing`,
    [runId, id, fleet],
  );
}

export async function workerReady(
  state: State,
  runId: string,
  id: string,
  facts: { url: string; process: WorkerProcess | null; version: string; documentDigest: string },
): Promise<void> {
  const { pid = null, host = null, startedAt = null } = facts.process ?? {};
  await state.pool.query(
    `update freshet.workers set state = 'ready', url = $3, pid = $4, version = $5, document_digest = $6, host = $7, process_started = $8
     where run_id = $1 and id = $2`,
    [runId, id, facts.url, pid, facts.version, facts.documentDigest, host, startedAt],
  );
}

export async function workerGone(state: State, runId: string, id: string): Promise<void> {
  await state.pool.query(
    `update freshet.workers set state = 'gone', gone_at = coalesce(gone_at, now()) where run_id = $1 and id = $2`,
    [runId, id],
  );
}

export async function listWorkers(state: State, runId: string): Promise<WorkerRecord[]> {
  const { rows } = await state.pool.query<WorkerRecord>(
    `select id, fleet, state, url, pid, document_digest as "documentDigest" from freshet.workers where run_id = $1 order by requested_at, id`,
    [runId],
  );
  return rows;
}

/** Workers that nobody has seen end: of runs of the environment that are over, or (`ending`) of the run that ends now. */
export async function listLeftWorkers(
  state: State,
  environment: string,
  ending: string | null,
): Promise<LeftWorker[]> {
  const { rows } = await state.pool.query<
    Omit<LeftWorker, 'process'> & { pid: number | null; host: string | null; startedAt: string | null }
  >(
    `select w.id, w.run_id as "runId", w.fleet, w.pid, w.host, w.process_started as "startedAt"
     from freshet.workers w join freshet.runs r on r.id = w.run_id
     where r.environment = $1 and w.state <> 'gone'
       and case when $2::text is null then r.finished_at is not null else r.id = $2 end
     order by w.requested_at`,
    [environment, ending],
  );
  return rows.map(({ pid, host, startedAt, ...worker }) => ({
    ...worker,
    process: pid === null || host === null ? null : { pid, host, startedAt },
  }));
}
