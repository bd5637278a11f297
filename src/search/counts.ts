import { aggregationBucketsMax, searchLongRequestTimeoutMs } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { assertAllShards, type ShardCounts } from './shards.js';

/** Makes all that was written searchable and countable. No shard may fail; one that is missing makes the count or search afterwards fail. */
export async function refreshIndex(client: SearchClient, index: string, signal?: AbortSignal): Promise<void> {
  const { body } = await callEngine<{ _shards: ShardCounts }>(client, {
    method: 'POST',
    path: [index, '_refresh'],
    what: `refreshing ${index}`,
    timeoutMs: searchLongRequestTimeoutMs,
    repeatable: true,
    signal,
  });
  const { failed, total } = body._shards;
  // Copies that have no node yet are no failure, and count as not done.
  assertAllShards({ failed, total, successful: total - failed }, `refreshing ${index}`);
}

/** Documents of an index or alias, as of its last refresh. */
export async function countDocuments(
  client: SearchClient,
  index: string,
  signal?: AbortSignal,
): Promise<number> {
  const { body } = await callEngine<{ count: number; _shards: ShardCounts }>(client, {
    method: 'GET',
    path: [index, '_count'],
    what: `counting the documents of ${index}`,
    timeoutMs: searchLongRequestTimeoutMs,
    repeatable: true,
    signal,
  });
  assertAllShards(body._shards, `counting the documents of ${index}`);
  return body.count;
}

interface SearchBody<Aggregations> {
  readonly timed_out: boolean;
  readonly _shards: ShardCounts;
  readonly aggregations: Aggregations;
}

async function aggregate<Aggregations>(
  client: SearchClient,
  index: string,
  aggs: object,
  what: string,
): Promise<Aggregations> {
  const { body } = await callEngine<SearchBody<Aggregations>>(client, {
    method: 'POST',
    path: [index, '_search'],
    query: { allow_partial_search_results: false, request_cache: false },
    body: { size: 0, track_total_hits: false, aggs },
    what,
    timeoutMs: searchLongRequestTimeoutMs,
    repeatable: true,
  });
  assertAllShards(body._shards, what);
  return body.aggregations;
}

type SourceKey = { readonly source: string | null };

interface SourceBuckets {
  readonly sources: {
    readonly buckets: readonly { readonly key: SourceKey; readonly doc_count: number }[];
    readonly after_key?: SourceKey;
  };
}

/** Documents per value of a keyword field, all values (D43: not the ten biggest); `''` = documents without the field. */
export async function countBySource(
  client: SearchClient,
  index: string,
  field: string,
): Promise<Record<string, number>> {
  const counts = new Map<string, number>();
  const bySource = { source: { terms: { field, missing_bucket: true } } };
  let after: SourceKey | undefined;
  do {
    const composite = {
      size: aggregationBucketsMax,
      sources: [bySource],
      ...(after === undefined ? {} : { after }),
    };
    const what = `counting the documents of ${index} by ${field}`;
    const { sources } = await aggregate<SourceBuckets>(client, index, { sources: { composite } }, what);
    for (const { key, doc_count: count } of sources.buckets) {
      const source = key.source ?? '';
      counts.set(source, (counts.get(source) ?? 0) + count);
    }
    after = sources.buckets.length < aggregationBucketsMax ? undefined : sources.after_key;
  } while (after !== undefined);
  return Object.fromEntries(counts);
}

interface RangeBuckets {
  readonly ids: { readonly buckets: readonly { readonly doc_count: number }[] };
}

/**
 * Documents with `boundaries[i] <= id < boundaries[i + 1]`, one number per pair of neighbours. `boundaries` ascend, within ±2^53.
 */
export async function countPerIdBucket(
  client: SearchClient,
  index: string,
  boundaries: readonly number[],
  idField = 'id',
): Promise<number[]> {
  const counts: number[] = [];
  for (let first = 0; first + 1 < boundaries.length; first += aggregationBucketsMax) {
    const part = boundaries.slice(first, first + aggregationBucketsMax + 1);
    const ranges = part.slice(1).map((to, position) => ({ from: part[position], to }));
    const what = `counting the documents of ${index} by id`;
    const { ids } = await aggregate<RangeBuckets>(
      client,
      index,
      { ids: { range: { field: idField, ranges } } },
      what,
    );
    counts.push(...ids.buckets.map((bucket) => bucket.doc_count));
  }
  return counts;
}

interface IdBounds {
  readonly least: { readonly value: number | null };
  readonly greatest: { readonly value: number | null };
}

/** The least and greatest id of an index; null when it is empty. */
export async function readIdBounds(
  client: SearchClient,
  index: string,
  idField = 'id',
): Promise<{ startId: number; endId: number } | null> {
  const aggs = { least: { min: { field: idField } }, greatest: { max: { field: idField } } };
  const { least, greatest } = await aggregate<IdBounds>(client, index, aggs, `reading the ids of ${index}`);
  if (least.value === null || greatest.value === null) return null;
  return { startId: least.value, endId: greatest.value };
}
