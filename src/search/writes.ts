import { setTimeout as sleep } from 'node:timers/promises';
import type { SearchDocument } from '../documents/types.js';
import { FreshetError } from '../errors.js';
import { reconcileOperationsMax, reconcileTriesMax, searchRepeatPauseMs } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { isNoSpace } from './engineDifferences.js';
import { requireIndex } from './readIndex.js';

/** Small writes to finished indexes: what API writers changed while they were built. Each has the same effect however often it is sent. */

export interface WriteOutcome {
  /** Documents that were written. */
  readonly written: number;
  /** Documents that the index does not have (such as removed ones): nothing to do. */
  readonly missing: number;
}

interface Operation {
  readonly id: string;
  readonly lines: string;
}

/** Writes whole documents. Throws SEARCH_WRITES_REFUSED. */
export async function indexDocuments(
  client: SearchClient,
  index: string,
  documents: readonly { readonly id: string; readonly document: SearchDocument }[],
): Promise<WriteOutcome> {
  const operations = documents.map(({ id, document }): Operation => {
    return { id, lines: `${JSON.stringify({ index: { _id: id } })}\n${JSON.stringify(document)}\n` };
  });
  return writeAll(client, index, operations);
}

/** Deletes documents by their ids. Throws SEARCH_WRITES_REFUSED. */
export async function deleteDocuments(
  client: SearchClient,
  index: string,
  ids: Iterable<string>,
): Promise<WriteOutcome> {
  const operations = [...ids].map((id): Operation => {
    return { id, lines: `${JSON.stringify({ delete: { _id: id } })}\n` };
  });
  return writeAll(client, index, operations);
}

async function writeAll(
  client: SearchClient,
  index: string,
  operations: readonly Operation[],
): Promise<WriteOutcome> {
  // An update of a missing index would create one with that name.
  if (operations.length > 0) await requireIndex(client, index);
  let written = 0;
  let missing = 0;
  for (let next = 0; next < operations.length; next += reconcileOperationsMax) {
    const outcome = await writeBatch(client, index, operations.slice(next, next + reconcileOperationsMax));
    written += outcome.written;
    missing += outcome.missing;
  }
  return { written, missing };
}

/** Sends a batch, then only those items again that the engine refused for now. */
async function writeBatch(
  client: SearchClient,
  index: string,
  batch: readonly Operation[],
): Promise<WriteOutcome> {
  let open = batch;
  let missing = 0;
  for (let tries = 1; ; tries += 1) {
    const items = await sendBulk(client, index, open);
    const refused = items.filter(({ status }) => status >= 300 && status !== 404);
    const final = refused.find((item) => !isPassing(item));
    if (final !== undefined) throw refusal(index, final);
    missing += items.filter(({ status }) => status === 404).length;
    if (refused.length === 0) return { written: batch.length - missing, missing };
    if (tries === reconcileTriesMax) throw refusal(index, refused[0]);
    await sleep(searchRepeatPauseMs * 2 ** tries);
    open = refused.map(({ operation }) => operation);
  }
}

/** Overload, and conflicts with a write at the same moment; not full disks, which answer with 429 too. */
function isPassing(item: Answered): boolean {
  return !isFull(item) && [409, 429, 503].includes(item.status);
}

function isFull({ status, error }: Answered): boolean {
  return isNoSpace(status, error?.type ?? '', error?.reason ?? '');
}

interface BulkItem {
  readonly status: number;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

interface Answered extends BulkItem {
  readonly operation: Operation;
}

async function sendBulk(
  client: SearchClient,
  index: string,
  operations: readonly Operation[],
): Promise<Answered[]> {
  const { body } = await callEngine<{ items: readonly Record<string, BulkItem>[] }>(client, {
    method: 'POST',
    path: [index, '_bulk'],
    body: operations.map(({ lines }) => lines).join(''),
    what: `writing to ${index}`,
    repeatable: true,
  });
  return operations.map((operation, position) => {
    const item = Object.values(body.items[position] ?? {})[0];
    // An item without an answer was not written as far as we know; it is sent again.
    return item === undefined ? { status: 503, operation } : assertIndexThere({ ...item, operation }, index);
  });
}

/** 404 says that a document is missing, but also that the index is. */
function assertIndexThere(item: Answered, index: string): Answered {
  if (item.error?.type !== 'index_not_found_exception') return item;
  throw new FreshetError('INDEX_MISSING', `There is no index ${index}.`, { index });
}

function refusal(index: string, item: Answered | undefined): FreshetError {
  const reason = [item?.error?.type, item?.error?.reason].filter((text) => text !== undefined).join(': ');
  return new FreshetError(
    item !== undefined && isFull(item) ? 'SEARCH_NO_SPACE' : 'SEARCH_WRITES_REFUSED',
    `${index} refuses the document ${item?.operation.id}: HTTP ${item?.status} ${reason}.`,
    { index },
  );
}
