import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GateLimits } from '../../../src/config/types.js';
import { checkLosses } from '../../../src/refresh/verdicts.js';

const limits: GateLimits = {
  sourceLossShareMax: 0.2,
  totalLossShareMax: 0.1,
  sampleRows: 0,
  rejectsMax: 0,
  orphansMax: 0,
  allowEmpty: false,
};

const names = (before: [string, number][], after: [string, number][], of = limits): string[] =>
  checkLosses(Object.fromEntries(before), Object.fromEntries(after), of)
    .filter((check) => !check.passed)
    .map((check) => check.name);

/** Names that every object has, beside ordinary ones. */
const source = fc.oneof(
  fc.constantFrom('constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf', ''),
  fc.string(),
);
const counts = fc.uniqueArray(fc.tuple(source, fc.integer({ min: 1, max: 1_000_000 })), {
  selector: ([name]) => name,
  minLength: 1,
});

describe('the verdict on losses', () => {
  it('passes what stays as it is, and what grows, whatever the sources are called', () => {
    fc.assert(
      fc.property(counts, fc.nat(100), (before, more) => {
        const after = before.map(([name, rows]): [string, number] => [name, rows + more]);
        expect(names(before, after)).toEqual([]);
      }),
    );
  });

  it('refuses a source that vanished, whatever it is called', () => {
    fc.assert(
      fc.property(counts, (before) => {
        expect(names(before, before.slice(1))).toContain('documents lost per source');
      }),
    );
  });

  it('refuses a source that loses more than its share, while the total is kept by another', () => {
    const before: [string, number][] = [
      ['constructor', 100],
      ['flickr', 100],
    ];
    const refused = names(before, [
      ['constructor', 79],
      ['flickr', 200],
    ]);
    expect(refused).toEqual(['documents lost per source']);
    const passing: [string, number][] = [
      ['constructor', 80],
      ['flickr', 200],
    ];
    expect(names(before, passing)).toEqual([]);
  });

  it('refuses a total that loses more than its share, while each source stays within its own', () => {
    expect(names([['a', 100]], [['a', 89]])).toEqual(['documents lost in all']);
    expect(names([['a', 100]], [['a', 90]])).toEqual([]);
  });

  it('names the sources that lose too much, the greatest loss first', () => {
    const checks = checkLosses({ a: 100, b: 100, c: 100 }, { a: 70, b: 0, c: 100 }, limits);
    expect(checks.at(-1)?.detail).toBe('b loses 100.0 %, a loses 30.0 %');
  });

  it('has nothing against a first refresh, and checks nothing where there is no limit', () => {
    expect(names([], [['a', 1]])).toEqual([]);
    expect(
      checkLosses({ a: 1 }, {}, { ...limits, sourceLossShareMax: null, totalLossShareMax: null }),
    ).toEqual([]);
  });
});
