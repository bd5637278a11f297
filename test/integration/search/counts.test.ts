import { describe, expect, it } from 'vitest';
import {
  countBySource,
  countDocuments,
  countPerIdBucket,
  readIdBounds,
  refreshIndex,
} from '../../../src/search/index.js';
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
