import { reindexExcludedIdsMax, reindexRangeIds } from '../limits.js';
import type { SortedIds } from './sortedIds.js';

/** How the populating of a filtered index is cut into ranges of ids. Pure. */

/** Ids from `startId` to `endId`, both inclusive, within ±2^53. */
export interface DocumentIdRange {
  readonly startId: number;
  readonly endId: number;
}

export interface RangePlan {
  /** Least and greatest id of the index. */
  readonly bounds: DocumentIdRange;
  /** Documents of the index, so that sparse ids do not make a task for every few documents. */
  readonly documents: number;
  readonly excluded: SortedIds;
  /** Ranges that need not be done again; they may come from another plan. */
  readonly finished: readonly DocumentIdRange[];
}

/**
 * Disjoint ascending ranges that, with the finished ones, cover the bounds exactly. Each has about `reindexRangeIds` documents and at most
 * `reindexExcludedIdsMax` ids to leave out.
 */
export function planRanges({ bounds, documents, excluded, finished }: RangePlan): DocumentIdRange[] {
  const span = bounds.endId - bounds.startId + 1;
  const idsPerRange = Math.max(reindexRangeIds, Math.ceil((span / Math.max(1, documents)) * reindexRangeIds));
  return withoutFinished(bounds, finished)
    .flatMap((range) => cutBySpan(range, idsPerRange))
    .flatMap((range) => cutByExcluded(range, excluded));
}

function withoutFinished(bounds: DocumentIdRange, finished: readonly DocumentIdRange[]): DocumentIdRange[] {
  const open: DocumentIdRange[] = [];
  let startId = bounds.startId;
  for (const done of [...finished].sort((a, b) => a.startId - b.startId)) {
    if (done.startId > bounds.endId) break;
    if (done.startId > startId) open.push({ startId, endId: done.startId - 1 });
    startId = Math.max(startId, done.endId + 1);
  }
  if (startId <= bounds.endId) open.push({ startId, endId: bounds.endId });
  return open;
}

function cutBySpan({ startId, endId }: DocumentIdRange, ids: number): DocumentIdRange[] {
  const ranges: DocumentIdRange[] = [];
  for (let start = startId; start <= endId; start += ids) {
    ranges.push({ startId: start, endId: Math.min(start + ids - 1, endId) });
  }
  return ranges;
}

function cutByExcluded({ startId, endId }: DocumentIdRange, excluded: SortedIds): DocumentIdRange[] {
  const ids = excluded.between(startId, endId);
  const ranges: DocumentIdRange[] = [];
  let start = startId;
  for (let next = reindexExcludedIdsMax; next < ids.length; next += reindexExcludedIdsMax) {
    const end = (ids[next] ?? endId) - 1;
    ranges.push({ startId: start, endId: end });
    start = end + 1;
  }
  ranges.push({ startId: start, endId });
  return ranges;
}
