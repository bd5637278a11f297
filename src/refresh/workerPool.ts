import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError, messageOf } from '../errors.js';
import { sliceAttemptsMax, workerPollMs } from '../limits.js';
import type { Fleet, FleetWorker } from '../fleet/fleet.js';
import {
  readHealth,
  readTask,
  startTask,
  WorkerLost,
  type TaskRequest,
  type TaskStatus,
} from '../fleet/workerClient.js';
import { recordRejects, type EventLevel } from '../state/records.js';
import { claimSlice, completeSlice, releaseSlice, sumSlices, type Slice } from '../state/slices.js';
import type { State } from '../state/state.js';
import { requestWorker, workerGone, workerReady } from '../state/workers.js';

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
  readonly onProgress: (rowsRead: number) => void;
  readonly event: (level: EventLevel, kind: string, message: string) => Promise<void>;
}

/**
 * Lets workers take slices from the run's pool until all are done. A slow worker keeps only its one slice; a worker that is lost gives its
 * slice back and is replaced alone. Ends all workers, whatever happens.
 */
export async function indexSlices(options: PoolOptions): Promise<void> {
  const pool = new WorkerPool(options);
  const loops = Array.from({ length: options.workers }, (_, index) => pool.work(index + 1));
  const outcomes = await Promise.allSettled(loops);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

class WorkerPool {
  private failure: unknown = null;
  private documentDigest: string | null = null;
  /** Rows that running tasks have read so far, by worker. */
  private readonly running = new Map<string, number>();
  private doneRows = 0;
  private rejected = 0;

  constructor(private readonly options: PoolOptions) {}

  /** One worker's life and those of its replacements. */
  async work(place: number): Promise<void> {
    let worker: FleetWorker | null = null;
    let generation = 0;
    try {
      for (;;) {
        const slice = await this.nextSlice(`${place}.${generation}`);
        if (slice === null) return;
        if (worker === null || worker.isGone()) worker = await this.startWorker(place, ++generation);
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
      await sleep(workerPollMs);
    }
    return null;
  }

  private async startWorker(place: number, generation: number): Promise<FleetWorker> {
    const { state, runId, fleet, model } = this.options;
    const id = `${place}.${generation}`;
    await requestWorker(state, runId, id, fleet.kind);
    const worker = await fleet.start(id);
    const health = await readHealth(worker.url);
    const documentDigest = health.documentDigests[model] ?? '';
    this.documentDigest ??= documentDigest;
    if (documentDigest !== this.documentDigest) {
      await worker.stop();
      throw new FreshetError(
        'WORKERS_DIFFER',
        `Worker ${id} builds other documents than the run's first worker (version ${health.version}).`,
      );
    }
    await workerReady(state, runId, id, {
      url: worker.url,
      pid: worker.pid,
      version: health.version,
      documentDigest,
    });
    return worker;
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
      await sleep(workerPollMs);
    }
    return null;
  }

  private async settle(slice: Slice, status: TaskStatus): Promise<void> {
    const { state, runId, rejectsMax } = this.options;
    if (status.rejects.length > 0) await recordRejects(state, runId, status.rejects);
    if (status.state === 'failed')
      throw sliceFailed(slice, status.error ?? 'the worker gave no reason', status);
    await completeSlice(state, runId, slice, status.counts);
    this.doneRows += status.counts.read;
    this.rejected += status.counts.rejected;
    if (this.rejected > rejectsMax) {
      throw sliceFailed(slice, `${this.rejected} documents were rejected, ${rejectsMax} are allowed`, status);
    }
  }

  private reportProgress(): void {
    const inTasks = [...this.running.values()].reduce((sum, rows) => sum + rows, 0);
    this.options.onProgress(this.doneRows + inTasks);
  }
}

function sliceFailed(slice: Slice, reason: string, status?: TaskStatus): FreshetError {
  const first = status?.rejects.slice(0, 3).map((reject) => `${reject.id}: ${reject.reason}`) ?? [];
  return new FreshetError(
    status?.error_code === 'SEARCH_NO_SPACE' ? 'SEARCH_NO_SPACE' : 'SLICE_FAILED',
    `Slice ${slice.ordinal} (${slice.kind} ${slice.start} to ${slice.end}) failed: ${reason}${first.length > 0 ? ` (first: ${first.join('; ')})` : ''}.`,
    { slice: slice.ordinal },
  );
}
