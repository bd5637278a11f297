import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reindexExcludedIdsMax, reindexRangeIds } from '../../../src/limits.js';
import { planRanges, type DocumentIdRange } from '../../../src/search/reindexRanges.js';
import { SortedIds } from '../../../src/search/sortedIds.js';

function idsOf(values: Iterable<number>): SortedIds {
  const ids = new SortedIds();
  for (const value of values) ids.add(value);
  return ids;
}

const none: DocumentIdRange[] = [];

describe('ranges of ids of the filtered index', () => {
  it('with the finished ones cover the bounds exactly, each id once', () => {
    const range = fc
      .tuple(fc.nat(3_000_000), fc.nat(500_000))
      .map(([startId, length]) => ({ startId, endId: startId + length }));
    const disjoint = fc.array(range, { maxLength: 5 }).map((ranges) => {
      const kept: DocumentIdRange[] = [];
      for (const next of ranges.sort((a, b) => a.startId - b.startId)) {
        if (next.startId > (kept.at(-1)?.endId ?? -1)) kept.push(next);
      }
      return kept;
    });
    fc.assert(
      fc.property(
        fc.nat(1_000_000),
        fc.nat(3_000_000),
        fc.nat(3_000_000),
        disjoint,
        (startId, length, documents, finished) => {
          const bounds = { startId, endId: startId + length };
          const planned = planRanges({ bounds, documents, excluded: new SortedIds(), finished });
          const all = [...planned, ...finished].sort((a, b) => a.startId - b.startId);
          for (const [position, { startId: start }] of all.entries()) {
            const before = all[position - 1];
            if (before !== undefined && start > bounds.startId && before.endId < bounds.endId)
              expect(start).toBe(before.endId + 1);
          }
          expect(all[0]?.startId).toBeLessThanOrEqual(bounds.startId);
          expect(all.at(-1)?.endId).toBeGreaterThanOrEqual(bounds.endId);
        },
      ),
    );
  });

  it('leave out no more ids each than the engine takes in one clause', () => {
    const excluded = idsOf(Array.from({ length: 90_000 }, (_, index) => index + 1));
    const ranges = planRanges({
      bounds: { startId: 1, endId: 100_000 },
      documents: 100_000,
      excluded,
      finished: none,
    });
    expect(ranges).toEqual([
      { startId: 1, endId: reindexExcludedIdsMax },
      { startId: reindexExcludedIdsMax + 1, endId: 100_000 },
    ]);
  });

  it('become wider where ids are sparse, so that their number follows the documents', () => {
    const bounds = { startId: 1, endId: 1_000_000_000_000 };
    const ranges = planRanges({ bounds, documents: 1_000_000, excluded: new SortedIds(), finished: none });
    expect(ranges).toHaveLength(1_000_000 / reindexRangeIds);
  });

  it('are none when everything was finished before', () => {
    const bounds = { startId: 5, endId: 9 };
    expect(
      planRanges({ bounds, documents: 5, excluded: new SortedIds(), finished: [{ startId: 1, endId: 9 }] }),
    ).toEqual([]);
  });
});

describe('sorted ids', () => {
  it('hold each id once and give those between two ends in order', () => {
    const integer = fc.integer({ min: -2000, max: 2000 });
    fc.assert(
      fc.property(fc.array(integer, { maxLength: 5000 }), integer, integer, (values, one, other) => {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        const ids = idsOf(values);
        const expected = [...new Set(values)].sort((a, b) => a - b);
        expect(ids.size).toBe(expected.length);
        expect([...ids.between(start, end)]).toEqual(expected.filter((id) => id >= start && id <= end));
      }),
    );
  });

  it('refuse an id that a number cannot hold exactly', () => {
    expect(() => idsOf([2 ** 53])).toThrow(RangeError);
  });
});
