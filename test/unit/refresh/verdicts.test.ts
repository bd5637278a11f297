import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GateLimits } from '../../../src/config/types.js';
import {
  checkBuckets,
  checkDocuments,
  checkFiltered,
  checkNotEmpty,
  checkOrphans,
  checkRejects,
  checkSame,
  checkSample,
  checkSlices,
  type IdBucket,
} from '../../../src/refresh/verdicts.js';
import type { SliceTotals } from '../../../src/state/slices.js';

const limits: GateLimits = {
  sourceLossShareMax: 0.2,
  totalLossShareMax: 0.1,
  sampleRows: 100,
  rejectsMax: 100,
  orphansMax: 3,
  allowEmpty: false,
};

const passed = (checks: readonly { passed: boolean }[]): boolean => checks.every((check) => check.passed);

describe('the verdict on slices', () => {
  const totals: SliceTotals = {
    slices: 4,
    done: 4,
    read: 100,
    indexed: 90,
    removed: 5,
    deleted: 3,
    rejected: 2,
    datesLeftOut: 0,
  };

  it('passes when every row was read once and became something', () => {
    expect(passed(checkSlices(100, totals, 0))).toBe(true);
  });

  it('refuses a slice that is not done', () => {
    expect(passed(checkSlices(100, { ...totals, done: 3 }, 0))).toBe(false);
  });

  it('refuses a row that was read and became nothing', () => {
    expect(passed(checkSlices(100, { ...totals, indexed: 89 }, 0))).toBe(false);
  });

  it('allows just as many rows fewer as API writers deleted, and none more', () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.nat(50), (lost, deleted) => {
        expect(passed(checkSlices(100 + lost, totals, deleted))).toBe(lost >= 0 && lost <= deleted);
      }),
    );
  });

  it('never passes on what is no number', () => {
    expect(passed(checkSlices(Number.NaN, totals, 5))).toBe(false);
    expect(passed(checkSlices(100, totals, Number.NaN))).toBe(false);
  });
});

describe('the verdict on rejected documents', () => {
  it('passes up to the limit and refuses one more', () => {
    expect(checkRejects(100, limits).passed).toBe(true);
    expect(checkRejects(101, limits).passed).toBe(false);
  });
});

describe('the verdict on the number of documents', () => {
  it('passes when eligible rows that were not rejected are the documents', () => {
    expect(checkDocuments(100, 2, 98, 0).passed).toBe(true);
  });

  it('refuses one document too few and one too many, whatever the number of rejects', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.nat(100),
        fc.integer({ min: -100, max: 100 }),
        (rows, missing, difference) => {
          expect(checkDocuments(rows + missing, missing, rows + difference, 0).passed).toBe(difference === 0);
        },
      ),
    );
  });

  it('allows documents whose rows API writers deleted meanwhile, never fewer documents', () => {
    expect(checkDocuments(100, 0, 103, 3).passed).toBe(true);
    expect(checkDocuments(100, 0, 104, 3).passed).toBe(false);
    expect(checkDocuments(100, 0, 99, 3).passed).toBe(false);
  });
});

describe('the verdict on buckets of ids', () => {
  const buckets = fc.array(
    fc.record({ rows: fc.integer({ min: 1, max: 1000 }), missing: fc.nat(1) }).map(({ rows, missing }) => ({
      start: 1,
      end: 1000,
      rows,
      missing,
      documents: rows - missing,
    })),
    { minLength: 2, maxLength: 20 },
  );

  const changeAt = (from: readonly IdBucket[], place: number, by: number): IdBucket[] =>
    from.map((bucket, i) => (i === place ? { ...bucket, documents: bucket.documents + by } : bucket));

  it('passes when each has its rows but for the rejected ones', () => {
    fc.assert(fc.property(buckets, (all) => checkBuckets(all, 0).passed));
  });

  it('refuses a lost document in one and a doubled one in another, though the sum is right', () => {
    fc.assert(
      fc.property(buckets, (all) => {
        expect(checkBuckets(changeAt(changeAt(all, 0, -1), 1, 1), 0).passed).toBe(false);
      }),
    );
  });

  it('refuses a lost document also where API writers deleted rows', () => {
    fc.assert(
      fc.property(buckets, fc.nat(100), (all, deleted) => {
        expect(checkBuckets(changeAt(all, 1, -1), deleted).passed).toBe(false);
      }),
    );
  });

  it('allows as many documents more, over all buckets, as API writers deleted rows', () => {
    const all: IdBucket[] = [1, 2, 3].map(() => ({ start: 1, end: 9, rows: 9, missing: 0, documents: 9 }));
    const twoMore = changeAt(changeAt(all, 0, 1), 2, 1);
    expect(checkBuckets(twoMore, 2).passed).toBe(true);
    expect(checkBuckets(twoMore, 1).passed).toBe(false);
  });

  it('names the bucket that lost documents', () => {
    const { detail } = checkBuckets(
      [
        { start: 1, end: 9, rows: 9, missing: 0, documents: 9 },
        { start: 10, end: 19, rows: 9, missing: 2, documents: 6 },
      ],
      0,
    );
    expect(detail).toBe('ids 10 to 19: 9 rows, 2 of them rejected, 6 documents');
  });
});

describe('the verdict on the filtered index', () => {
  const none = { fewerInMain: 0, fewerInFiltered: 0 };

  it('passes when filtered and matched documents are the main index', () => {
    expect(checkFiltered(100, 80, 20, none).passed).toBe(true);
  });

  it('refuses one too few and one too many', () => {
    expect(checkFiltered(100, 79, 20, none).passed).toBe(false);
    expect(checkFiltered(100, 81, 20, none).passed).toBe(false);
  });

  it('takes what API writers deleted from main alone or from filtered alone as an explanation, and no more', () => {
    const tolerance = { fewerInMain: 3, fewerInFiltered: 2 };
    const passes = [-4, -3, -2, 0, 3, 4].map((by) => checkFiltered(100, 80 + by, 20, tolerance).passed);
    expect(passes).toEqual([false, false, true, true, true, false]);
  });

  it('never passes half a filtered index, unless API writers deleted that many', () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.integer({ min: 2, max: 100_000 }),
        fc.nat(1000),
        (matched, others, deleted) => {
          const half = Math.floor(others / 2);
          fc.pre(others - half > deleted);
          const tolerance = { fewerInMain: deleted, fewerInFiltered: deleted };
          expect(checkFiltered(matched + others, half, matched, tolerance).passed).toBe(false);
        },
      ),
    );
  });
});

describe('the verdict on emptiness', () => {
  it('refuses an empty index unless the configuration allows it', () => {
    expect(checkNotEmpty(1, limits).passed).toBe(true);
    expect(checkNotEmpty(0, limits).passed).toBe(false);
    expect(checkNotEmpty(0, { ...limits, allowEmpty: true }).passed).toBe(true);
  });
});

describe('the verdict on rows that refer to vanished records', () => {
  it('passes up to the limit and refuses one more', () => {
    expect(checkOrphans(3, limits, null).passed).toBe(true);
    expect(checkOrphans(4, limits, 'list: 4').passed).toBe(false);
  });
});

describe('the verdict on the sample', () => {
  const sampled = { compared: 100, vanished: 0, differences: [] };
  const noRejects = new Set<string>();

  it('passes when all were compared and are equal', () => {
    expect(passed(checkSample(sampled, 100, noRejects, 0))).toBe(true);
  });

  it('refuses a sample of no rows of a table that has some', () => {
    expect(passed(checkSample({ ...sampled, compared: 0 }, 1, noRejects, 0))).toBe(false);
    expect(passed(checkSample({ ...sampled, compared: 0 }, 0, noRejects, 0))).toBe(true);
  });

  it('refuses fewer rows than there must be', () => {
    expect(passed(checkSample({ ...sampled, compared: 99 }, 100, noRejects, 0))).toBe(false);
  });

  it('excuses a missing document only when its own id was rejected', () => {
    const differences = [{ id: '7', fields: null }];
    expect(passed(checkSample({ ...sampled, differences }, 100, new Set(['7']), 0))).toBe(true);
    expect(passed(checkSample({ ...sampled, differences }, 100, new Set(['8', '9']), 0))).toBe(false);
  });

  it('never excuses a document that differs, nor one that should not be there', () => {
    for (const fields of [['title'], ['should not be indexed']]) {
      const differences = [{ id: '7', fields }];
      expect(passed(checkSample({ ...sampled, differences }, 100, new Set(['7']), 0))).toBe(false);
    }
  });

  it('leaves out rows that API writers deleted meanwhile, as many as they deleted', () => {
    const fewer = { ...sampled, compared: 97, vanished: 3 };
    expect(passed(checkSample(fewer, 100, noRejects, 3))).toBe(true);
    expect(passed(checkSample(fewer, 100, noRejects, 2))).toBe(false);
    expect(passed(checkSample({ ...fewer, compared: 96 }, 100, noRejects, 3))).toBe(false);
  });
});

describe('the verdict on shapes', () => {
  it('passes without differences and names the first ones otherwise', () => {
    expect(checkSame('image', []).passed).toBe(true);
    const refused = checkSame('image', ['column a', 'column b']);
    expect(refused).toMatchObject({ passed: false, detail: 'column a; column b' });
  });
});
