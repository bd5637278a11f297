import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import type { FleetWorker } from '../fleet/fleet.js';
import {
  readTask,
  startTask,
  WorkerHindered,
  WorkerLost,
  type TaskRequest,
  type TaskStatus,
} from '../fleet/workerClient.js';
import {
  bulkRetryBudgetMs,
  hindrancesMax,
  sliceAttemptsMax,
  sliceHinderedMs,
  sliceRetryFirstMs,
  sliceRetryLongestMs,
  workerPollMs,
  workerStalledAloneMs,
  workerStalledMs,
} from '../limits.js';
import { pause } from '../pause.js';
import { recordRejects } from '../state/records.js';
import { claimSlice, completeSlice, releaseSlice, sumSlices, type Slice } from '../state/slices.js';
import { Headway } from './headway.js';
import { PoolWorkers, type PoolWorkersOptions } from './poolWorkers.js';

export interface PoolLimits {
  readonly stalledMs: number;
  readonly stalledAloneMs: number;
  readonly hinderedMs: number;
}

const defaultLimits: PoolLimits = {
  stalledMs: workerStalledMs,
  stalledAloneMs: workerStalledAloneMs,
  hinderedMs: sliceHinderedMs,
};

export interface PoolOptions extends PoolWorkersOptions {
  readonly workers: number;
  /** Rejected documents that the whole run may have. */
  readonly rejectsMax: number;
  /** The part of a task's request that is the same for every slice. */
  readonly task: Pick<TaskRequest, 'model_name' | 'table_name' | 'target_index' | 'require_alias' | 'run_id'>;
  readonly onProgress: (rowsRead: number) => void;
  readonly limits?: Partial<PoolLimits>;
}

/**
 * Lets workers take slices from the run's pool until all are done. A slow worker keeps only its one slice; a worker that is lost (dead, silent,
 * without headway) gives its slice back and is replaced alone. Where a worker's database or cluster does not answer, the slice is tried again
 * for a while. Ends all workers, whatever happens.
 */
export async function indexSlices(options: PoolOptions): Promise<void> {
  const { rejected, read } = await sumSlices(options.state, options.runId);
  const pool = new WorkerPool(options, await PoolWorkers.open(options), rejected, read);
  const loops = Array.from({ length: options.workers }, (_, index) => pool.work(index + 1));
  const outcomes = await Promise.allSettled(loops);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Times in a row that a worker did not reach its database or cluster, and since when (`performance.now()`). */
interface Trouble {
  readonly times: number;
  readonly since: number;
}

const noTrouble: Trouble = { times: 0, since: 0 };

function retryWaitMs({ times }: Trouble): number {
  return Math.min(sliceRetryFirstMs * 2 ** (times - 1), sliceRetryLongestMs);
}

/** What became of a worker's try at a slice: done (or left, because the run has failed), or the slice is back in the pool. */
type Outcome = 'done' | 'lost' | Trouble;

class WorkerPool {
  private failure: unknown = null;
  private readonly limits: PoolLimits;
  private readonly headway = new Headway();
  /** Rows that running tasks have read so far, by worker. */
  private readonly running = new Map<string, number>();
  /** Slice → workers that were lost over it since this pool began. */
  private readonly losses = new Map<number, number>();
  /** The run was told that slices wait for a server. */
  private toldHindrance = false;

  constructor(
    private readonly options: PoolOptions,
    private readonly workers: PoolWorkers,
    private rejected: number,
    /** Rows of slices that are done, also by earlier processes. */
    private doneRows: number,
  ) {
    this.limits = { ...defaultLimits, ...options.limits };
  }

  /** The workers of one place, one after the other. */
  async work(place: number): Promise<void> {
    try {
      while (await this.workWith(place)) continue;
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  /** One worker's life. @returns whether another one is needed in its place. */
  private async workWith(place: number): Promise<boolean> {
    const worker = await this.workers.start(place, () => this.failure === null);
    if (worker === null) return false;
    let isLost = false;
    try {
      isLost = await this.takeSlices(worker);
      return isLost;
    } finally {
      await this.workers.end(worker, isLost);
    }
  }

  /** @returns true when the worker is lost, false when nothing is left to do. */
  private async takeSlices(worker: FleetWorker): Promise<boolean> {
    failpoint('reindex.ready');
    let trouble: Trouble = noTrouble;
    for (;;) {
      if (worker.isGone()) return true;
      const slice = await this.nextSlice(worker.id);
      if (slice === null) return false;
      failpoint('reindex.claimed');
      const outcome = await this.indexSlice(worker, slice, trouble);
      if (outcome === 'lost') return true;
      trouble = outcome === 'done' ? noTrouble : outcome;
      if (trouble.times > 0) await pause(retryWaitMs(trouble), this.options.signal);
    }
  }

  /** The next pending slice; waits while others hold the last ones, which may come back; null when all are done or the run has failed. */
  private async nextSlice(workerId: string): Promise<Slice | null> {
    const { state, runId } = this.options;
    while (this.failure === null) {
      const slice = await claimSlice(state, runId, workerId);
      if (slice !== null) return slice;
      const totals = await sumSlices(state, runId);
      this.doneRows = totals.read;
      if (totals.done === totals.slices) return null;
      await pause(workerPollMs, this.options.signal);
    }
    return null;
  }

  private async indexSlice(worker: FleetWorker, slice: Slice, trouble: Trouble): Promise<Outcome> {
    const { state, runId } = this.options;
    try {
      const status = await this.runTask(worker, slice);
      if (status === null) await releaseSlice(state, runId, slice);
      else await this.settle(worker, slice, status);
      return 'done';
    } catch (error) {
      await releaseSlice(state, runId, slice);
      if (error instanceof WorkerHindered) return await this.onHindered(worker, slice, error, trouble);
      if (error instanceof WorkerLost) return await this.onLost(worker, slice, error.message);
      throw error;
    } finally {
      this.running.delete(worker.id);
    }
  }

  /** A slice that costs worker after worker is at fault itself. */
  private async onLost(worker: FleetWorker, slice: Slice, reason: string): Promise<'lost'> {
    const losses = (this.losses.get(slice.ordinal) ?? 0) + 1;
    this.losses.set(slice.ordinal, losses);
    if (losses >= sliceAttemptsMax)
      throw sliceFailed(slice, `${losses} workers were lost over it, last: ${reason}`);
    const message = `worker ${worker.id} is replaced, slice ${slice.ordinal} goes back: ${reason}`;
    await this.options.event('warning', 'worker.lost', message);
    return 'lost';
  }

  /** Others that go on show that the server is well and this worker's way to it is not. */
  private async onHindered(
    worker: FleetWorker,
    slice: Slice,
    { message }: WorkerHindered,
    before: Trouble,
  ): Promise<'lost' | Trouble> {
    const now = performance.now();
    const trouble = { times: before.times + 1, since: before.times === 0 ? now : before.since };
    const othersGoOn = this.headway.othersWithin(worker.id, now - trouble.since);
    if (trouble.times >= hindrancesMax && othersGoOn) return this.onLost(worker, slice, message);
    const idleMs = this.headway.allIdleMs();
    if (idleMs >= this.limits.hinderedMs) {
      throw sliceFailed(slice, `no worker went on for ${Math.round(idleMs / 1000)} s; ${message}`);
    }
    if (!this.toldHindrance) {
      const what = `slice ${slice.ordinal} is tried again until its worker reaches its servers: ${message}`;
      await this.options.event('warning', 'slice.hindered', what);
    }
    this.toldHindrance = true;
    return trouble;
  }

  /** Starts the slice's task and waits until it has ended. @returns null when the run failed meanwhile. */
  private async runTask(worker: FleetWorker, slice: Slice): Promise<TaskStatus | null> {
    const { runId, task, rejectsMax, signal } = this.options;
    const taskId = `${runId}-${slice.ordinal}-${slice.attempt}`;
    const range =
      slice.kind === 'blocks'
        ? { start_block: slice.start, end_block: slice.end }
        : { start_id: slice.start, end_id: slice.end };
    const request = {
      ...task,
      ...range,
      task_id: taskId,
      rejects_max: Math.max(0, rejectsMax - this.rejected),
    };
    await startTask(worker, request, signal);
    failpoint('reindex.started');
    this.headway.begin(worker.id);
    while (this.failure === null) {
      if (worker.isGone()) throw new WorkerLost('its process ended');
      const status = await readTask(worker, taskId, signal);
      if (status.state === 'cancelled') throw new WorkerLost(status.error ?? 'the task was cancelled');
      if (status.state !== 'running') return status;
      this.watchHeadway(worker, status);
      await pause(workerPollMs, signal);
    }
    return null;
  }

  /** A worker may answer for ever and do nothing: a connection that nobody closes, a disk that hangs. */
  private watchHeadway({ id }: FleetWorker, { counts }: TaskStatus): void {
    this.headway.note(id, counts.read + counts.indexed);
    if (counts.read > 0) this.toldHindrance = false;
    this.running.set(id, counts.read);
    this.reportProgress();
    const idleMs = this.headway.idleMs(id);
    const { stalledMs, stalledAloneMs } = this.limits;
    const isAlone = idleMs >= stalledAloneMs && this.headway.othersWithin(id, stalledAloneMs);
    if (idleMs < stalledMs && !isAlone) return;
    const alone = isAlone ? ' while others did' : '';
    throw new WorkerLost(`it made no headway for ${Math.round(idleMs / 1000)} s${alone}`);
  }

  private async settle(worker: FleetWorker, slice: Slice, status: TaskStatus): Promise<void> {
    const { state, runId, rejectsMax } = this.options;
    if (status.rejects.length > 0) await recordRejects(state, runId, status.rejects);
    if (status.error_code === 'REJECTS_OVER_LIMIT') {
      // A task that was stopped has no final counts.
      const rejected = Math.max(status.counts.rejected, status.rejects.length);
      throw tooManyRejects(this.rejected + rejected, rejectsMax, status);
    }
    if (status.state === 'failed') throw this.faultOf(worker, slice, status);
    await completeSlice(state, runId, slice, status.counts);
    failpoint('reindex.slice');
    this.headway.note(worker.id, status.counts.read + status.counts.indexed);
    this.running.delete(worker.id);
    this.doneRows += status.counts.read;
    this.reportProgress();
    this.rejected += status.counts.rejected;
    if (this.rejected > rejectsMax) throw tooManyRejects(this.rejected, rejectsMax, status);
  }

  /** Whose fault a failed task is: the servers' for now, the worker's, or the slice's. */
  private faultOf(worker: FleetWorker, slice: Slice, { error, error_code: code }: TaskStatus): Error {
    const reason = error ?? 'the worker gave no reason';
    if (code === 'SESSION_LOST' || code === 'DATABASE_UNREACHABLE') return new WorkerHindered(reason);
    const othersGoOn = this.headway.othersWithin(worker.id, bulkRetryBudgetMs);
    if (code === 'BULK_RETRIES_EXCEEDED' && othersGoOn) return new WorkerLost(reason);
    return sliceFailed(slice, reason, code);
  }

  private reportProgress(): void {
    const inTasks = [...this.running.values()].reduce((sum, rows) => sum + rows, 0);
    this.options.onProgress(this.doneRows + inTasks);
  }
}

function sliceFailed(slice: Slice, reason: string, code: string | null = null): FreshetError {
  return new FreshetError(
    code === 'SEARCH_NO_SPACE' ? 'SEARCH_NO_SPACE' : 'SLICE_FAILED',
    `Slice ${slice.ordinal} (${slice.kind} ${slice.start} to ${slice.end}) failed: ${reason}.`,
    { slice: slice.ordinal },
  );
}

/** Of all slices together; the task that was stopped knows only its own share of the limit. */
function tooManyRejects(rejected: number, rejectsMax: number, { rejects }: TaskStatus): FreshetError {
  const first = rejects.slice(0, 3).map(({ id, reason }) => `document ${id}: ${reason}`);
  return new FreshetError(
    'REJECTS_OVER_LIMIT',
    `${rejected} documents were rejected, at most ${rejectsMax} may be. ${first.join('; ')}`,
    { rejected, rejectsMax },
  );
}
