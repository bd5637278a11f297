import pRetry from 'p-retry';
import { FreshetError, messageOf } from '../errors.js';
import { sliceAttemptsMax, workerPollMs, workerStartsMax } from '../limits.js';
import { failpoint } from '../failpoints.js';
import type { Fleet, FleetWorker } from '../fleet/fleet.js';
import {
  readHealth,
  readTask,
  startTask,
  WorkerLost,
  type TaskRequest,
  type TaskStatus,
} from '../fleet/workerClient.js';
import { pause } from '../pause.js';
import { recordRejects, type EventLevel } from '../state/records.js';
import { claimSlice, completeSlice, releaseSlice, sumSlices, type Slice } from '../state/slices.js';
import type { State } from '../state/state.js';
import { listWorkers, requestWorker, workerGone, workerReady } from '../state/workers.js';

export interface PoolOptions {
  readonly state: State;
  readonly runId: string;
  readonly fleet: Fleet;
  readonly workers: number;
  readonly model: string;
  /** Rejected documents that the whole run may have. */
  readonly rejectsMax: number;
  /** The part of a task's request that is the same for every slice. */
  readonly task: Pick<TaskRequest, 'model_name' | 'table_name' | 'target_index' | 'require_alias' | 'run_id'>;
  /** Ends everything: tasks are left, workers end. */
  readonly signal: AbortSignal;
  readonly onProgress: (rowsRead: number) => void;
  readonly event: (level: EventLevel, kind: string, message: string) => Promise<void>;
}

/**
 * Lets workers take slices from the run's pool until all are done. A slow worker keeps only its one slice; a worker that is lost gives its
 * slice back and is replaced alone. Ends all workers, whatever happens.
 */
export async function indexSlices(options: PoolOptions): Promise<void> {
  const pool = new WorkerPool(options, await readEarlier(options));
  const loops = Array.from({ length: options.workers }, (_, index) => pool.work(index + 1));
  const outcomes = await Promise.allSettled(loops);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

/** What earlier tries of this reindex left: their workers ended with their orchestrator, what they settled on holds. */
interface Earlier {
  readonly documentDigest: string | null;
  readonly workers: number;
  readonly rejected: number;
}

async function readEarlier({ state, runId }: PoolOptions): Promise<Earlier> {
  const workers = await listWorkers(state, runId);
  for (const { id } of workers) await workerGone(state, runId, id);
  const { rejected } = await sumSlices(state, runId);
  const documentDigest = workers.find((worker) => worker.documentDigest !== null)?.documentDigest ?? null;
  return { documentDigest, workers: workers.length, rejected };
}

class WorkerPool {
  private failure: unknown = null;
  private documentDigest: string | null;
  private started: number;
  /** Rows that running tasks have read so far, by worker. */
  private readonly running = new Map<string, number>();
  private doneRows = 0;
  private rejected: number;

  constructor(
    private readonly options: PoolOptions,
    earlier: Earlier,
  ) {
    this.documentDigest = earlier.documentDigest;
    this.started = earlier.workers;
    this.rejected = earlier.rejected;
  }

  /** One worker's life and those of its replacements. */
  async work(place: number): Promise<void> {
    let worker: FleetWorker | null = null;
    try {
      for (;;) {
        if (worker === null || worker.isGone()) worker = await this.replaceWorker(place, worker);
        if (worker === null) return;
        const slice = await this.nextSlice(worker.id);
        if (slice === null) return;
        if (!(await this.indexSlice(worker, slice))) {
          await this.endWorker(worker);
          worker = null;
        }
      }
    } catch (error) {
      this.failure ??= error;
      throw error;
    } finally {
      if (worker !== null) await this.endWorker(worker);
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

  /** A worker that does not start is replaced alone, some times; null when the run has failed meanwhile. */
  private async replaceWorker(place: number, gone: FleetWorker | null): Promise<FleetWorker | null> {
    if (gone !== null) await this.endWorker(gone);
    return pRetry(async () => (this.failure === null ? this.startWorker(place) : null), {
      retries: workerStartsMax - 1,
      minTimeout: 500,
      maxTimeout: 10_000,
      signal: this.options.signal,
      shouldRetry: ({ error }) => isStartFault(error),
      onFailedAttempt: async ({ error, retriesLeft }) => {
        if (retriesLeft > 0 && isStartFault(error)) {
          await this.options.event('warning', 'worker.lost', `a worker did not start: ${error.message}`);
        }
      },
    });
  }

  private async startWorker(place: number): Promise<FleetWorker> {
    const { state, runId, fleet } = this.options;
    this.started += 1;
    const id = `${place}.${this.started}`;
    await requestWorker(state, runId, id, fleet.kind);
    failpoint('reindex.requested');
    let worker: FleetWorker | null = null;
    try {
      worker = await fleet.start(id);
      await this.welcome(worker);
      return worker;
    } catch (error) {
      if (worker !== null) await worker.stop();
      await workerGone(state, runId, id);
      throw error;
    }
  }

  /** All workers of a run build the same documents, also those of a resumed run's other release. */
  private async welcome(worker: FleetWorker): Promise<void> {
    const { state, runId, model } = this.options;
    const health = await readHealth(worker.url);
    const documentDigest = health.documentDigests[model] ?? '';
    this.documentDigest ??= documentDigest;
    if (documentDigest !== this.documentDigest) {
      throw new FreshetError(
        'WORKERS_DIFFER',
        `Worker ${worker.id} builds other documents than the run's first worker (version ${health.version}).`,
      );
    }
    const { url, pid } = worker;
    await workerReady(state, runId, worker.id, { url, pid, version: health.version, documentDigest });
  }

  private async endWorker(worker: FleetWorker): Promise<void> {
    await worker.stop();
    await workerGone(this.options.state, this.options.runId, worker.id);
  }

  /** @returns false when the worker was lost: its slice is back in the pool. */
  private async indexSlice(worker: FleetWorker, slice: Slice): Promise<boolean> {
    const { state, runId, event } = this.options;
    try {
      const status = await this.runTask(worker, slice);
      if (status === null) {
        await releaseSlice(state, runId, slice);
        return true;
      }
      await this.settle(slice, status);
      return true;
    } catch (error) {
      await releaseSlice(state, runId, slice);
      if (!(error instanceof WorkerLost)) throw error;
      if (slice.attempt >= sliceAttemptsMax) throw sliceFailed(slice, messageOf(error));
      await event(
        'warning',
        'worker.lost',
        `worker ${worker.id} is replaced, slice ${slice.ordinal} goes back: ${error.message}`,
      );
      return false;
    } finally {
      this.running.delete(worker.id);
    }
  }

  /** Starts the slice's task and waits until it has ended. @returns null when the run failed meanwhile. */
  private async runTask(worker: FleetWorker, slice: Slice): Promise<TaskStatus | null> {
    const { runId, task, rejectsMax } = this.options;
    const taskId = `${runId}-${slice.ordinal}-${slice.attempt}`;
    const range =
      slice.kind === 'blocks'
        ? { start_block: slice.start, end_block: slice.end }
        : { start_id: slice.start, end_id: slice.end };
    await startTask(worker.url, {
      ...task,
      ...range,
      task_id: taskId,
      rejects_max: Math.max(0, rejectsMax - this.rejected),
    });
    while (this.failure === null) {
      if (worker.isGone()) throw new WorkerLost('its process ended');
      const status = await readTask(worker.url, taskId);
      this.running.set(worker.id, status.counts.read);
      this.reportProgress();
      if (status.state === 'cancelled') throw new WorkerLost(status.error ?? 'the task was cancelled');
      if (status.state !== 'running') return status;
      await pause(workerPollMs, this.options.signal);
    }
    return null;
  }

  private async settle(slice: Slice, status: TaskStatus): Promise<void> {
    const { state, runId, rejectsMax } = this.options;
    if (status.rejects.length > 0) await recordRejects(state, runId, status.rejects);
    if (status.error_code === 'REJECTS_OVER_LIMIT') {
      // A task that was stopped has no final counts.
      const rejected = Math.max(status.counts.rejected, status.rejects.length);
      throw tooManyRejects(this.rejected + rejected, rejectsMax, status);
    }
    if (status.state === 'failed')
      throw sliceFailed(slice, status.error ?? 'the worker gave no reason', status);
    await completeSlice(state, runId, slice, status.counts);
    failpoint('reindex.slice');
    this.doneRows += status.counts.read;
    this.rejected += status.counts.rejected;
    if (this.rejected > rejectsMax) throw tooManyRejects(this.rejected, rejectsMax, status);
  }

  private reportProgress(): void {
    const inTasks = [...this.running.values()].reduce((sum, rows) => sum + rows, 0);
    this.options.onProgress(this.doneRows + inTasks);
  }
}

function isStartFault(error: Error): boolean {
  return (
    error instanceof WorkerLost || (error instanceof FreshetError && error.code === 'WORKER_START_FAILED')
  );
}

function sliceFailed(slice: Slice, reason: string, status?: TaskStatus): FreshetError {
  return new FreshetError(
    status?.error_code === 'SEARCH_NO_SPACE' ? 'SEARCH_NO_SPACE' : 'SLICE_FAILED',
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
