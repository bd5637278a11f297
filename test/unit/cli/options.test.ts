import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLimit, parseRecords, parseRuns } from '../../../src/cli/options.js';

describe('a number on the command line', () => {
  it('may have thousands marks, as people write them', () => {
    expect(parseRecords('100,000')).toBe(100_000);
    expect(parseRecords('1_000_000')).toBe(1_000_000);
    expect(parseLimit('none')).toBe('none');
    expect(parseRuns('10')).toBe(10);
  });

  it('is taken as it is, or refused: never another one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), (text) => {
        let parsed: number;
        try {
          parsed = parseRecords(text);
        } catch {
          return;
        }
        expect(String(parsed)).toBe(text.replaceAll(/[,_]/g, '').replace(/^0+(?=\d)/, ''));
      }),
    );
  });
});
