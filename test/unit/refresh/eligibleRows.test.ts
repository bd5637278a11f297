import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countByBucket } from '../../../src/refresh/eligibleRows.js';

describe('rejected ids by bucket', () => {
  it('counts ids as numbers, not as texts', () => {
    const buckets = [
      { start: 1, end: 9 },
      { start: 10, end: 99 },
      { start: 100, end: 999 },
    ];
    expect(countByBucket(buckets, ['2', '10', '9', '100', '1000'])).toEqual([2, 1, 1]);
  });

  it('puts every id of the range into exactly one bucket', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 49 })), (ids) => {
        const buckets = Array.from({ length: 10 }, (_, i) => ({ start: i * 10 - 50, end: i * 10 - 41 }));
        const counted = countByBucket(buckets, ids.map(String));
        expect(counted.reduce((sum, count) => sum + count, 0)).toBe(ids.length);
      }),
    );
  });
});
