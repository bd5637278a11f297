import { describe, expect, inject, it } from 'vitest';
import {
  countBySource,
  countDocuments,
  countPerIdBucket,
  readIdBounds,
  refreshIndex,
} from '../../../src/search/index.js';
import { callEngine } from '../../../src/search/call.js';
import { openSearchClient } from '../../../src/search/client.js';
import { fetchDocuments } from '../../../src/search/documents.js';
import { findIdsByKeyword } from '../../../src/search/lookups.js';
import { refusedWith, useEngine } from './engine.js';

const engine = useEngine();
const { client } = engine;

describe('counting', () => {
  it('D43: counts every source, of however many there are', async () => {
    const index = await engine.create(engine.name('sources'), { shards: 2 });
    const documents = Array.from({ length: 3_000 }, (_, position) => ({
      id: position + 1,
      ...(position < 5 ? {} : { source: `source${position % 2_100}` }),
    }));
    await engine.fill(index, documents);
    const counts = await countBySource(client, index, 'source');
    expect(Object.keys(counts)).toHaveLength(2_101);
    expect(counts['']).toBe(5);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(3_000);
  });

  it('counts ids between neighbouring boundaries, the upper one excluded', async () => {
    const index = await engine.create(engine.name('buckets'));
    await engine.fill(
      index,
      [1, 2, 3, 10, 2_147_483_648, 2 ** 53 - 2].map((id) => ({ id })),
    );
    expect(
      await countPerIdBucket(client, index, [1, 3, 10, 11, 2_147_483_648, 2 ** 53 - 2, 2 ** 53 - 1]),
    ).toEqual([2, 1, 1, 0, 1, 1]);
    const boundaries = Array.from({ length: 2_502 }, (_, position) => position);
    const counts = await countPerIdBucket(client, index, boundaries);
    expect(counts).toHaveLength(2_501);
    expect(counts.flatMap((count, position) => (count > 0 ? [position] : []))).toEqual([1, 2, 3, 10]);
    expect(await countPerIdBucket(client, index, [5])).toEqual([]);
  });

  it('an empty index has no documents, no sources and no ids', async () => {
    const index = await engine.create(engine.name('empty'));
    await refreshIndex(client, index);
    expect(await countDocuments(client, index)).toBe(0);
    expect(await countBySource(client, index, 'source')).toEqual({});
    expect(await readIdBounds(client, index)).toBeNull();
  });

  it('a missing index is an error, not zero', async () => {
    await expect(countDocuments(client, engine.name('none'))).rejects.toEqual(refusedWith('SEARCH_REFUSED'));
  });
});

/** What a cluster is for some seconds after its restart: one of two shards has a node. */
describe('an index of which a shard is missing', () => {
  const request = (method: 'PUT' | 'POST', path: readonly string[], body?: object, query = {}) =>
    callEngine(client, {
      method,
      path,
      query,
      ...(body === undefined ? {} : { body }),
      what: 'test',
      accept: [503],
    });
  const ids = ['1', '2', '3', '4', '5', '6', '7', '8'];

  /** Two shards that may not be on one node, of which there is one. */
  const createHalf = async (): Promise<string> => {
    const index = engine.name('half');
    const settings = {
      number_of_shards: 2,
      number_of_replicas: 0,
      'routing.allocation.total_shards_per_node': 1,
    };
    const mappings = { properties: { identifier: { type: 'keyword' } } };
    await request('PUT', [index], { settings, mappings }, { wait_for_active_shards: 0 });
    return index;
  };
  it('has no number of documents, instead of a smaller one, and no document is taken for missing', async () => {
    const index = await createHalf();
    const writes = ids.map((id) =>
      request('PUT', [index, '_doc', id], { identifier: `record-${id}` }, { timeout: '1s', refresh: true }),
    );
    const statuses = (await Promise.all(writes)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([201, 503]));
    await expect(countDocuments(client, index)).rejects.toEqual(refusedWith('SEARCH_UNREACHABLE'));
    await expect(fetchDocuments(client, index, ids)).rejects.toEqual(refusedWith('SEARCH_UNREACHABLE'));
  });

  it('is waited for by a look-up, which would else find nothing', async () => {
    const index = await createHalf();
    const impatient = openSearchClient([inject('parts').searchUrl], { signal: AbortSignal.timeout(2_000) });
    try {
      await expect(findIdsByKeyword(impatient, index, 'identifier', ['record-7'])).rejects.toThrow(/timeout/);
    } finally {
      await impatient.close();
    }
  });
});
