import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRecord,
  differingColumns,
  digestFields,
  encodeRecord,
  rowFlag,
} from '../../../../src/refresh/compareLive/rowRecord.js';
import { SortedRows, unequalPairs } from '../../../../src/refresh/compareLive/spill.js';

const field = fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 9)));
const row = fc.record({
  key: fc.integer({ min: 0, max: 60 }),
  values: fc.tuple(field, field),
  flag: fc.constantFrom(rowFlag.plain, rowFlag.updated),
});
const rows = fc.uniqueArray(row, { selector: ({ key }) => key, maxLength: 60 });

type Row = { key: number; values: [Buffer, Buffer]; flag: number };

const noBytes = Buffer.alloc(0);
const encode = ({ key, values, flag }: Row, id: string): Buffer =>
  encodeRecord({
    flag,
    key: Buffer.from(`key ${key}`),
    identifier: noBytes,
    id: Buffer.from(id),
    digests: digestFields(values),
  });

/** The keys of pairs, and which sides they have. */
function joinAll(catalog: readonly Row[], live: readonly Row[], bytesMax: number): string[] {
  const sides = [new SortedRows('test'), new SortedRows('test')] as const;
  try {
    for (const one of catalog) sides[0].add(encode(one, ''));
    for (const one of live) sides[1].add(encode(one, '7'));
    return [...unequalPairs(...sides, bytesMax)]
      .map(({ catalog, live }) => `${(catalog ?? live)?.key.toString()} ${catalog !== null} ${live !== null}`)
      .sort();
  } finally {
    sides.forEach((side) => side.close());
  }
}

function expectedPairs(catalog: readonly Row[], live: readonly Row[]): string[] {
  const byKey = new Map(live.map((one) => [one.key, one]));
  const ofCatalog = catalog.flatMap(({ key, values }) => {
    const partner = byKey.get(key);
    byKey.delete(key);
    const isSame =
      partner !== undefined && values.every((value, i) => value.equals(partner.values[i] ?? noBytes));
    return isSame ? [] : [`key ${key} true ${partner !== undefined}`];
  });
  return [...ofCatalog, ...[...byKey.keys()].map((key) => `key ${key} false true`)].sort();
}

describe('rows of two sides, sorted into files', () => {
  it.each([
    ['that fit into memory', 2 ** 20],
    ['that do not, and are sorted into more files', 1],
  ])('%s: gives every pair that is not equal, once', (_, bytesMax) => {
    fc.assert(
      fc.property(rows, rows, (catalog, live) => {
        expect(joinAll(catalog as Row[], live as Row[], bytesMax)).toEqual(
          expectedPairs(catalog as Row[], live as Row[]),
        );
      }),
      { numRuns: bytesMax === 1 ? 3 : 30 },
    );
  });

  it('keeps two rows of one key apart', () => {
    const one: Row = { key: 1, values: [noBytes, noBytes], flag: rowFlag.plain };
    expect(joinAll([one], [one, one], 2 ** 20)).toEqual(['key 1 false true']);
    expect(joinAll([one, one], [one], 2 ** 20)).toEqual(['key 1 true false']);
  });
});

describe('the record of a row', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(field, field, field, fc.array(field, { maxLength: 4 }), (key, identifier, id, values) => {
        const record = { flag: rowFlag.deleted, key, identifier, id, digests: digestFields(values) };
        const bytes = Buffer.concat([Buffer.from('x'), encodeRecord(record)]);
        expect(decodeRecord(bytes, 1)).toEqual({ ...record, next: bytes.length });
      }),
    );
  });

  it('names the columns that differ, also where a value has only moved to the next one', () => {
    const digests = (...values: string[]): Buffer => digestFields(values.map((value) => Buffer.from(value)));
    expect(differingColumns(digests('a', 'b', 'c'), digests('a', 'x', 'c'))).toEqual([1]);
    expect(digests('ab', '').equals(digests('a', 'b'))).toBe(false);
    expect(differingColumns(digests('ab', ''), digests('a', 'b'))).toEqual([0, 1]);
    expect(digests('\\N').equals(digests(''))).toBe(false);
  });
});
