import { rejectReasonCharactersMax } from '../limits.js';
import { isNoSpace } from '../search/engineDifferences.js';

/** Only what is needed of a bulk answer: without errors it is 25 bytes an item. */
export const bulkFilterPath = 'errors,items.*.status,items.*.error';

/** What became of the items of one bulk request, by their position in it. */
export interface ItemOutcomes {
  readonly indexed: number;
  readonly rejected: readonly { readonly position: number; readonly reason: string }[];
  /** Positions to send again: the engine had no room (429) or a fault (5xx). */
  readonly again: readonly number[];
  readonly againReason: string;
  /** They cannot be written because the engine's disks are full. */
  readonly isFull: boolean;
  /** Why no document at all can be written (index or alias gone, blocked, not permitted); null when they can. */
  readonly refusal: string | null;
}

interface ItemError {
  readonly type?: string;
  readonly reason?: string;
  readonly caused_by?: ItemError;
}

interface Item {
  readonly status?: number;
  readonly error?: ItemError | string;
}

/** Errors of an item that are not about its document. */
const refusalTypes = new Set([
  'index_not_found_exception',
  'index_closed_exception',
  'cluster_block_exception',
  'security_exception',
]);

/**
 * Reads the answer to a bulk request of `count` items. Null when it is no complete answer (cut, garbled, of another length): then nothing
 * is known and all items must be sent again.
 */
export function readBulkAnswer(text: string, count: number): ItemOutcomes | null {
  // The usual case by far is recognised without parsing: no errors, and a status of success for each item.
  if (text.startsWith('{"errors":false') && countOf(text, '"status":20') === count && text.endsWith('}')) {
    return { indexed: count, rejected: [], again: [], againReason: '', isFull: false, refusal: null };
  }
  const items = parseItems(text);
  return items?.length === count ? sortItems(items) : null;
}

function countOf(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}

function parseItems(text: string): Item[] | null {
  try {
    const { items } = JSON.parse(text) as { items?: Record<string, Item>[] };
    return Array.isArray(items) ? items.map((item) => Object.values(item)[0] ?? {}) : null;
  } catch {
    // Not JSON: the answer of something in between, or cut. The caller sends again.
    return null;
  }
}

function sortItems(items: readonly Item[]): ItemOutcomes {
  const rejected: { position: number; reason: string }[] = [];
  const again: number[] = [];
  let againReason = '';
  let isFull = false;
  let refusal: string | null = null;
  items.forEach((item, position) => {
    const status = item.status ?? 0;
    if (status >= 200 && status < 300 && item.error === undefined) return;
    const reason = reasonOf(item);
    if (isPassing(status)) {
      again.push(position);
      againReason = reason;
      isFull = isNoSpace(status, typeOf(item), reason);
    } else if (refusalTypes.has(typeOf(item))) refusal ??= reason;
    else rejected.push({ position, reason });
  });
  const indexed = items.length - rejected.length - again.length;
  return { indexed, rejected, again, againReason, isFull, refusal };
}

/** Whether the same request may succeed later: no room, a fault of the engine, or a time-out. An item without status was not answered. */
export function isPassing(status: number): boolean {
  return status === 429 || status === 408 || status >= 500 || status === 0;
}

function typeOf({ error }: Item): string {
  return typeof error === 'object' ? (error.type ?? '') : '';
}

function reasonOf({ status, error }: Item): string {
  if (typeof error !== 'object') return shorten(`${error ?? 'no reason given'} (status ${status ?? 'none'})`);
  const causes = [error, error.caused_by].filter((cause) => cause !== undefined);
  return shorten(
    causes.map(({ type, reason }) => `${type ?? 'error'}: ${reason ?? 'no reason given'}`).join('; '),
  );
}

/** At most the limit's characters of a reason. */
export function shorten(reason: string): string {
  return reason.length <= rejectReasonCharactersMax
    ? reason
    : `${reason.slice(0, rejectReasonCharactersMax)}…`;
}
