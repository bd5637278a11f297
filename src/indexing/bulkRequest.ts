import type { Readable } from 'node:stream';
import { messageOf } from '../errors.js';
import { bulkAnswerMs } from '../limits.js';
import type { SearchClient } from '../search/client.js';
import type { BulkBatch } from './bulkBatch.js';
import { bulkFilterPath, isPassing, readBulkAnswer, shorten, type ItemOutcomes } from './bulkAnswer.js';

/** What a bulk request came to. */
export type BulkOutcome =
  | ({ readonly kind: 'answered' } & ItemOutcomes)
  /** No usable answer: perhaps written, perhaps not. Index by id can be sent again. */
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'tooLarge' }
  /** The whole request was refused for good. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface BulkTarget {
  readonly client: SearchClient;
  /** Index or alias. */
  readonly name: string;
  /** Fail instead of creating an index where the name is no alias (any more). */
  readonly requireAlias: boolean;
}

/** Sends one bulk request and reads its answer. Throws only when `signal` ended it. */
export async function sendBulk(
  target: BulkTarget,
  batch: BulkBatch,
  signal: AbortSignal,
): Promise<BulkOutcome> {
  signal.throwIfAborted();
  const request = target.client.transport.request(
    {
      method: 'POST',
      path: `/${encodeURIComponent(target.name)}/_bulk`,
      bulkBody: batch.body(),
      querystring: {
        filter_path: bulkFilterPath,
        ...(target.requireAlias ? { require_alias: 'true' } : {}),
      },
    },
    // As a stream: the client would parse every answer, which costs more than building the documents of a small batch.
    { asStream: true, maxRetries: 0, requestTimeout: bulkAnswerMs },
  );
  const abort = (): void => void request.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const answer = await request;
    const text = await readText(answer.body as Readable, signal);
    return readOutcome(answer.statusCode ?? 0, text, batch.length);
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'lost', reason: `no answer: ${shorten(messageOf(error))}` };
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function readText(body: Readable, signal: AbortSignal): Promise<string> {
  const stop = (): void => void body.destroy(new Error('the answer was not complete in time'));
  const timer = setTimeout(stop, bulkAnswerMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    body.setEncoding('utf8');
    let text = '';
    for await (const chunk of body) text += chunk as string;
    return text;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function readOutcome(status: number, text: string, count: number): BulkOutcome {
  if (status === 413) return { kind: 'tooLarge' };
  if (isPassing(status)) return { kind: 'lost', reason: `status ${status}: ${shorten(text)}` };
  if (status < 200 || status >= 300) return { kind: 'refused', reason: `status ${status}: ${shorten(text)}` };
  const outcomes = readBulkAnswer(text, count);
  return outcomes === null
    ? { kind: 'lost', reason: `an answer that is not one of ${count} items: ${shorten(text)}` }
    : { kind: 'answered', ...outcomes };
}
