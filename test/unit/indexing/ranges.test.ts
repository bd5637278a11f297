import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sliceCount, splitBlocks, splitIdRanges } from '../../../src/indexing/ranges.js';

const parts = fc.integer({ min: 1, max: 3_000 });
const id = fc.oneof(fc.bigInt(0n, 100n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));

describe('ranges of ids', () => {
  test('D1: are disjoint and cover [min, max] exactly, for every min, max and worker count', () => {
    fc.assert(
      fc.property(id, id, parts, (a, b, count) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const ranges = splitIdRanges(min, max, count);
        expect(ranges[0]?.startId).toBe(min);
        expect(ranges.at(-1)?.endId).toBe(max);
        ranges.forEach((range, i) => {
          expect(range.startId <= range.endId).toBe(true);
          if (i > 0) expect(range.startId).toBe((ranges[i - 1]?.endId as bigint) + 1n);
        });
      }),
    );
  });

  test('D1: differ in size by at most one, and there are as many as asked for where there are so many ids', () => {
    fc.assert(
      fc.property(id, fc.bigInt(1n, 10n ** 9n), parts, (min, size, count) => {
        const sizes = splitIdRanges(min, min + size - 1n, count).map(({ startId, endId }) => endId - startId);
        expect(BigInt(sizes.length)).toBe(size < BigInt(count) ? size : BigInt(count));
        const smallest = sizes.reduce((a, b) => (a < b ? a : b));
        expect(sizes.every((one) => one - smallest <= 1n)).toBe(true);
      }),
    );
  });

  test.each([
    [1, 1, 6, [[1n, 1n]]],
    [
      1,
      3,
      6,
      [
        [1n, 1n],
        [2n, 2n],
        [3n, 3n],
      ],
    ],
    [
      1,
      10,
      3,
      [
        [1n, 3n],
        [4n, 6n],
        [7n, 10n],
      ],
    ],
    [
      2 ** 31,
      2 ** 31 + 1,
      2,
      [
        [2n ** 31n, 2n ** 31n],
        [2n ** 31n + 1n, 2n ** 31n + 1n],
      ],
    ],
  ] as const)('D1: %i to %i in %i parts', (min, max, count, expected) => {
    expect(splitIdRanges(min, max, count).map(({ startId, endId }) => [startId, endId])).toEqual(expected);
  });

  test('D2: an empty table gives no range', () => {
    expect(splitIdRanges(1, 0, 6)).toEqual([]);
  });

  test('D12: many more than 1,024 ranges are possible', () => {
    expect(splitIdRanges(1n, 10n ** 12n, 50_000)).toHaveLength(50_000);
  });

  test('a count of parts that makes no sense is refused', () => {
    for (const count of [0, -1, 1.5, NaN]) expect(() => splitIdRanges(1, 9, count)).toThrow(RangeError);
  });
});

describe('ranges of blocks', () => {
  test('D1: are half-open, disjoint and cover all blocks exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 }), parts, (blocks, count) => {
        const ranges = splitBlocks(blocks, count);
        expect(ranges).toHaveLength(Math.min(blocks, count));
        expect(ranges[0]?.startBlock ?? 0).toBe(0);
        expect(ranges.at(-1)?.endBlock ?? 0).toBe(blocks);
        ranges.forEach((range, i) => {
          expect(range.startBlock).toBeLessThan(range.endBlock);
          if (i > 0) expect(range.startBlock).toBe(ranges[i - 1]?.endBlock);
        });
      }),
    );
  });
});

describe('the number of slices', () => {
  const base = { workers: 6, rowsPerSlice: 500_000, slicesMax: 10_000 };
  test.each([
    ['one per worker for a small table', { rows: 10, blocks: 100 }, 6],
    ['none for a table without blocks', { rows: 0, blocks: 0 }, 0],
    ['one per block at most', { rows: 1, blocks: 1 }, 1],
    ['as the rows ask', { rows: 900_000_001, blocks: 70_000_000 }, 1_801],
    ['limited', { rows: 1e12, blocks: 4e9 }, 10_000],
  ])('is %s', (_, table, expected) => {
    expect(sliceCount({ ...base, ...table })).toBe(expected);
  });
});
