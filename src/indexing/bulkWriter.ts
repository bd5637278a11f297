import { setTimeout as delay } from 'node:timers/promises';
import { FreshetError } from '../errors.js';
import {
  bulkBytesMax,
  bulkRequestsInFlightMax,
  bulkRetryBudgetMs,
  bulkRetryFirstMs,
  bulkRetryLongestMs,
  noSpaceWaitMs,
} from '../limits.js';
import { BulkBatch, bulkLine } from './bulkBatch.js';
import { sendBulk, type BulkOutcome, type BulkTarget } from './bulkRequest.js';
import { backoffMs, RequestWindow } from './requestWindow.js';
import type { Reject } from './slice.js';

export interface BulkLimits {
  /** Size of one request's body; a larger document goes alone. */
  readonly bulkBytesMax: number;
  readonly requestsInFlightMax: number;
  /** How long documents may make no headway before the writer gives up. */
  readonly retryBudgetMs: number;
  readonly retryFirstMs: number;
  readonly retryLongestMs: number;
}

const defaultBulkLimits: BulkLimits = {
  bulkBytesMax,
  requestsInFlightMax: bulkRequestsInFlightMax,
  retryBudgetMs: bulkRetryBudgetMs,
  retryFirstMs: bulkRetryFirstMs,
  retryLongestMs: bulkRetryLongestMs,
};

export interface BulkWriterOptions extends BulkTarget {
  /** More rejects than this end the writer. */
  readonly rejectsMax: number;
  readonly onReject: (reject: Reject) => void;
  readonly signal: AbortSignal;
  readonly limits?: Partial<BulkLimits>;
}

/** Rejects that an error names; the others are counted. */
const rejectsNamedMax = 5;

/**
 * Writes documents by `index` actions. Every document ends as indexed or rejected, or the writer ends with an error: `close` resolves only
 * when all were answered. Documents that met 429 or 5xx are sent again alone; a lost answer sends the request again, which is harmless
 * because documents have ids. Under pressure fewer requests are under way.
 */
export class BulkWriter {
  readonly #limits: BulkLimits;
  readonly #window: RequestWindow;
  readonly #ended = new AbortController();
  readonly #firstRejects: Reject[] = [];
  #batch: BulkBatch | null = null;
  /** Memory of answered requests, to be written to again. */
  readonly #spareMemory: Buffer[] = [];
  #bulkBytesMax: number;
  #inFlight = 0;
  #waiting: (() => void)[] = [];
  #sent = 0;
  #indexed = 0;
  #rejected = 0;

  constructor(readonly options: BulkWriterOptions) {
    this.#limits = { ...defaultBulkLimits, ...options.limits };
    this.#window = new RequestWindow(this.#limits.requestsInFlightMax);
    this.#bulkBytesMax = this.#limits.bulkBytesMax;
    const { signal } = options;
    if (signal.aborted) this.#end(signal.reason);
    signal.addEventListener('abort', () => this.#end(signal.reason), {
      once: true,
      signal: this.#ended.signal,
    });
  }

  /** Aborted with the reason when the writer ends, so that whoever feeds it stops at once. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get indexed(): number {
    return this.#indexed;
  }

  /** Rejected documents, those told by `reject` included. */
  get rejected(): number {
    return this.#rejected;
  }

  /**
   * Takes a document. Returns a promise only when the caller must wait for room; throws when the writer has ended.
   * @param source the document as JSON text.
   */
  add(id: string, source: string): Promise<void> | undefined {
    this.#ended.signal.throwIfAborted();
    const line = bulkLine(id, source);
    const bytes = Buffer.byteLength(line);
    const full = this.#batch !== null && this.#batch.bytes + bytes > this.#bulkBytesMax;
    const sending = full ? this.#sendBatch() : undefined;
    this.#batch ??= new BulkBatch(this.#takeMemory(bytes));
    this.#batch.add(id, line);
    this.#sent += 1;
    return sending;
  }

  /** Counts a record that could not become a document. Throws when that was one too many. */
  reject(id: string, reason: string): void {
    this.#sent += 1;
    this.#countReject({ id, reason });
    this.#ended.signal.throwIfAborted();
  }

  /** Sends the rest and waits until every document was answered. Throws what ended the writer, if anything did. */
  async close(): Promise<void> {
    await this.#sendBatch();
    while (this.#inFlight > 0 && !this.#ended.signal.aborted) await this.#change();
    this.#ended.signal.throwIfAborted();
    if (this.#sent !== this.#indexed + this.#rejected) {
      throw new FreshetError(
        'INTERNAL',
        `${this.#sent} documents were sent but ${this.#indexed} indexed and ${this.#rejected} rejected.`,
      );
    }
    this.#end(new Error('the writer is closed'));
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    while (this.#inFlight >= this.#window.size) {
      await this.#change();
      this.#ended.signal.throwIfAborted();
    }
    this.#inFlight += 1;
    void this.#deliver(batch)
      .catch((error: unknown) => this.#end(error))
      .finally(() => {
        this.#inFlight -= 1;
        this.#wake();
      });
  }

  /** Sends `batch` until each of its documents is indexed or rejected. */
  async #deliver(batch: BulkBatch): Promise<void> {
    let rest = batch;
    let headwayAt = Date.now();
    for (let attempt = 0; rest.length > 0; attempt += 1) {
      const outcome = await sendBulk(this.options, rest, this.#ended.signal);
      if (outcome.kind === 'tooLarge') return this.#deliverHalves(rest);
      const before = rest.length;
      rest = this.#settle(rest, outcome);
      if (rest.length < before) headwayAt = Date.now();
      if (rest.length === 0 && attempt === 0) this.#giveBackMemory(batch);
      if (rest.length > 0) await this.#backOff(rest.length, outcome, attempt, headwayAt);
    }
  }

  #takeMemory(bytes: number): Buffer {
    const size = this.#limits.bulkBytesMax;
    if (bytes > size) return Buffer.allocUnsafeSlow(bytes);
    return this.#spareMemory.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  /** Only after one complete answer: the engine has read every byte, so no socket holds any of them. */
  #giveBackMemory({ memory }: BulkBatch): void {
    if (memory.length !== this.#limits.bulkBytesMax || this.#ended.signal.aborted) return;
    this.#spareMemory.push(memory);
  }

  /** A body that was too large is halved, and later bodies are no larger; a single document that is too large is a reject. */
  async #deliverHalves(batch: BulkBatch): Promise<void> {
    if (batch.length === 1) {
      return this.#countReject({
        id: batch.ids[0] as string,
        reason: `the search cluster accepts no request of ${batch.bytes} bytes (status 413)`,
      });
    }
    this.#bulkBytesMax = Math.min(this.#bulkBytesMax, Math.ceil(batch.bytes / 2));
    for (const half of batch.halves()) await this.#deliver(half);
  }

  /** Counts what is final in `outcome`. Returns the documents to send again. */
  #settle(batch: BulkBatch, outcome: Exclude<BulkOutcome, { kind: 'tooLarge' }>): BulkBatch {
    if (outcome.kind === 'lost') return batch;
    const refusal = outcome.kind === 'refused' ? outcome.reason : outcome.refusal;
    if (refusal !== null) throw this.#refused(refusal);
    if (outcome.kind === 'refused') return batch;
    this.#indexed += outcome.indexed;
    for (const { position, reason } of outcome.rejected) {
      this.#countReject({ id: batch.ids[position] as string, reason });
    }
    if (outcome.again.length === 0) this.#window.onCalm();
    return batch.pick(outcome.again);
  }

  async #backOff(count: number, outcome: BulkOutcome, attempt: number, headwayAt: number): Promise<void> {
    this.#window.onPressure();
    const { retryFirstMs, retryLongestMs, retryBudgetMs } = this.#limits;
    const withoutHeadwayMs = Date.now() - headwayAt;
    const isFull = outcome.kind === 'answered' && outcome.isFull;
    if (withoutHeadwayMs >= (isFull ? Math.min(noSpaceWaitMs, retryBudgetMs) : retryBudgetMs)) {
      const seconds = Math.round(withoutHeadwayMs / 1000);
      throw this.#givenUp(count, outcome, `no headway for ${seconds} s and ${attempt + 1} tries`);
    }
    await delay(backoffMs(attempt, retryFirstMs, retryLongestMs), undefined, { signal: this.#ended.signal });
  }

  #givenUp(count: number, outcome: BulkOutcome, tries: string): FreshetError {
    const target = this.options.name;
    const isAnswered = outcome.kind === 'answered';
    const reason = outcome.kind === 'lost' ? outcome.reason : isAnswered ? outcome.againReason : '';
    const what = `${count} documents could not be written to ${target}`;
    return isAnswered && outcome.isFull
      ? new FreshetError(
          'SEARCH_NO_SPACE',
          `${what}, the disks of the search cluster are nearly full: ${reason}`,
        )
      : new FreshetError('BULK_RETRIES_EXCEEDED', `${what}: ${tries}. The last answer: ${reason}`, {
          target,
        });
  }

  #countReject(reject: Reject): void {
    this.#rejected += 1;
    if (this.#firstRejects.length < rejectsNamedMax) this.#firstRejects.push(reject);
    this.options.onReject(reject);
    if (this.#rejected > this.options.rejectsMax) this.#end(this.#tooManyRejects());
  }

  #tooManyRejects(): FreshetError {
    const named = this.#firstRejects.map(({ id, reason }) => `${id} (${reason})`).join(', ');
    return new FreshetError(
      'REJECTS_OVER_LIMIT',
      `${this.#rejected} documents were rejected, ${this.options.rejectsMax} are allowed: ${named}.`,
      { rejected: this.#rejected },
    );
  }

  #refused(reason: string): FreshetError {
    const target = this.options.name;
    return new FreshetError(
      'BULK_REFUSED',
      `The search cluster takes no documents for ${target}: ${reason}.`,
      {
        target,
      },
    );
  }

  /** Ends everything under way; the first reason stands. */
  #end(reason: unknown): void {
    if (!this.#ended.signal.aborted) this.#ended.abort(reason);
    // Whoever still knows the writer (a task's status does) must not keep its memory: 6 MB for every slice of a run (measured).
    this.#spareMemory.length = 0;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
