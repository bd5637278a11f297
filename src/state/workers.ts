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
  facts: { url: string; pid: number | null; version: string; documentDigest: string },
): Promise<void> {
  await state.pool.query(
    `update freshet.workers set state = 'ready', url = $3, pid = $4, version = $5, document_digest = $6 where run_id = $1 and id = $2`,
    [runId, id, facts.url, facts.pid, facts.version, facts.documentDigest],
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
