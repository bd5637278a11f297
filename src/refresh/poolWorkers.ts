import { hostname } from 'node:os';
import pRetry from 'p-retry';
import { identifyProcess } from '../embedded/processes.js';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import type { Fleet, FleetWorker } from '../fleet/fleet.js';
import { readHealth, WorkerLost } from '../fleet/workerClient.js';
import { workerStartsMax } from '../limits.js';
import type { EventLevel } from '../state/records.js';
import type { State } from '../state/state.js';
import { listWorkers, requestWorker, workerGone, workerReady } from '../state/workers.js';

export interface PoolWorkersOptions {
  readonly state: State;
  readonly runId: string;
  readonly fleet: Fleet;
  /** The media type whose documents they build. */
  readonly model: string;
  /** Aborted when the run is cancelled. */
  readonly signal: AbortSignal;
  readonly event: (level: EventLevel, kind: string, message: string) => Promise<void>;
}

/** Starts, recognises and ends the workers of one reindex; each has a row in the state database before it exists. */
export class PoolWorkers {
  private constructor(
    private readonly options: PoolWorkersOptions,
    private started: number,
    private documentDigest: string | null,
  ) {}

  /** Workers of earlier tries of this reindex ended with their orchestrator. */
  static async open(options: PoolWorkersOptions): Promise<PoolWorkers> {
    const { state, runId } = options;
    const earlier = await listWorkers(state, runId);
    for (const { id } of earlier) await workerGone(state, runId, id);
    const digest = earlier.find((worker) => worker.documentDigest !== null)?.documentDigest ?? null;
    return new PoolWorkers(options, earlier.length, digest);
  }

  /** Starts a worker for a place of the pool; one that does not come up is replaced, some times. @param isWanted false: none is needed any more. */
  start(place: number, isWanted: () => boolean): Promise<FleetWorker | null> {
    const { event, signal } = this.options;
    return pRetry(async () => (isWanted() ? this.startOne(place) : null), {
      retries: workerStartsMax - 1,
      minTimeout: 500,
      maxTimeout: 10_000,
      signal,
      shouldRetry: ({ error }) => isStartFault(error),
      onFailedAttempt: async ({ error, retriesLeft }) => {
        if (retriesLeft > 0 && isStartFault(error)) {
          await event('warning', 'worker.lost', `a worker did not start: ${error.message}`);
        }
      },
    });
  }

  private async startOne(place: number): Promise<FleetWorker> {
    const { state, runId, fleet, signal } = this.options;
    this.started += 1;
    const id = `${place}.${this.started}`;
    await requestWorker(state, runId, id, fleet.kind);
    failpoint('reindex.requested');
    let worker: FleetWorker | null = null;
    try {
      worker = await fleet.start(id, signal);
      await this.welcome(worker);
      return worker;
    } catch (error) {
      if (worker !== null) await worker.stop('at once');
      await workerGone(state, runId, id);
      throw error;
    }
  }

  /** All workers of a run build the same documents, also those of a resumed run's other release. */
  private async welcome(worker: FleetWorker): Promise<void> {
    const { state, runId, model, signal } = this.options;
    const health = await readHealth(worker, signal);
    const documentDigest = health.documentDigests[model] ?? '';
    this.documentDigest ??= documentDigest;
    if (documentDigest !== this.documentDigest) {
      throw new FreshetError(
        'WORKERS_DIFFER',
        `Worker ${worker.id} builds other documents than the run's first worker (version ${health.version}).`,
      );
    }
    const { url, pid } = worker;
    await workerReady(state, runId, worker.id, {
      url,
      process: pid === null ? null : { ...(await identifyProcess(pid)), host: hostname() },
      version: health.version,
      documentDigest,
    });
  }

  /**
   * @param isLost it does not answer or does nothing: it is not asked to end first. Nor is one of a cancelled run: what it writes is removed
   * anyway, and the cancellation must not wait for it.
   */
  async end(worker: FleetWorker, isLost: boolean): Promise<void> {
    await worker.stop(isLost || this.options.signal.aborted ? 'at once' : 'in order');
    await workerGone(this.options.state, this.options.runId, worker.id);
  }
}

function isStartFault(error: Error): boolean {
  return (
    error instanceof WorkerLost || (error instanceof FreshetError && error.code === 'WORKER_START_FAILED')
  );
}
