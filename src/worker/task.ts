import { FreshetError, messageOf } from '../errors.js';
import { noCounts, type Reject, type SliceCounts } from '../indexing/slice.js';
import { rejectsListedMax } from '../limits.js';
import type { TaskRequest } from './taskRequest.js';

export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

/** How a task stands, as the HTTP interface tells it. The outcome is `state` (and `error`), never `progress`. */
export interface TaskStatus {
  readonly task_id: string;
  readonly active: boolean;
  readonly model: string;
  readonly table: string;
  readonly target_index: string;
  readonly state: TaskState;
  /** 0 to 100; 100 exactly when the task is done. */
  readonly progress: number;
  /** UTC, ISO 8601. */
  readonly start_time: string;
  readonly finish_time: string | null;
  readonly counts: SliceCounts & { readonly skipped: number };
  /** The first rejects; `counts.rejected` is the number of all. */
  readonly rejects: readonly Reject[];
  /** What went wrong; null while all is well. */
  readonly error: string | null;
  readonly error_code: string | null;
}

/** What a task's work tells while it goes on. */
interface TaskProgress {
  onProgress(counts: SliceCounts, rowsExpected: number): void;
  onReject(reject: Reject): void;
}

export type TaskWork = (progress: TaskProgress, signal: AbortSignal) => Promise<SliceCounts>;

/** An estimate may be too low: only the end is 100 %. */
const progressBeforeEndMax = 99.9;

/** One slice being indexed. Starts at once. */
export class Task implements TaskProgress {
  /** Resolves when the task is over, whatever its outcome. */
  readonly finished: Promise<void>;
  readonly #ended = new AbortController();
  readonly #startTime = new Date();
  readonly #rejects: Reject[] = [];
  #state: TaskState = 'running';
  #counts = noCounts;
  #rowsExpected = 0;
  #finishTime: Date | null = null;
  #error: unknown = null;

  constructor(
    readonly request: TaskRequest,
    work: TaskWork,
  ) {
    this.finished = this.#run(work);
  }

  get active(): boolean {
    return this.#state === 'running';
  }

  /** Ends the task where it stands; documents that were written stay, and writing them again is harmless. */
  cancel(why: string): void {
    this.#ended.abort(
      new FreshetError(
        'TASK_CANCELLED',
        `The task was cancelled (${why}); its slice is given back unfinished.`,
      ),
    );
  }

  onProgress(counts: SliceCounts, rowsExpected: number): void {
    this.#counts = counts;
    this.#rowsExpected = rowsExpected;
  }

  onReject(reject: Reject): void {
    if (this.#rejects.length < rejectsListedMax) this.#rejects.push(reject);
  }

  status(): TaskStatus {
    const { removed, deleted } = this.#counts;
    return {
      task_id: this.request.taskId,
      active: this.active,
      model: this.request.media.name,
      table: this.request.table.name,
      target_index: this.request.targetIndex,
      state: this.#state,
      progress: this.#progress(),
      start_time: this.#startTime.toISOString(),
      finish_time: this.#finishTime?.toISOString() ?? null,
      counts: { ...this.#counts, skipped: removed + deleted },
      rejects: this.#rejects,
      error: this.#error === null ? null : messageOf(this.#error),
      error_code: this.#error === null ? null : codeOf(this.#error),
    };
  }

  async #run(work: TaskWork): Promise<void> {
    const { signal } = this.#ended;
    try {
      this.#counts = await work(this, signal);
      this.#state = 'done';
    } catch (error) {
      this.#error = signal.aborted ? signal.reason : error;
      this.#state = signal.aborted ? 'cancelled' : 'failed';
    } finally {
      this.#finishTime = new Date();
    }
  }

  #progress(): number {
    if (this.#state === 'done') return 100;
    const share = this.#rowsExpected > 0 ? this.#counts.read / this.#rowsExpected : 0;
    return Math.min(progressBeforeEndMax, Math.round(share * 1000) / 10);
  }
}

function codeOf(error: unknown): string {
  return error instanceof FreshetError ? error.code : 'INTERNAL';
}
