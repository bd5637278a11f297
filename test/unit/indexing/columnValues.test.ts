import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeTimestamp, decoderOf } from '../../../src/indexing/columnValues.js';

const decode = (oid: number, text: string): unknown => decoderOf(oid, () => undefined)(text);

describe('a value of Postgres', () => {
  test.each([
    ['boolean', 16, 't', true],
    ['boolean', 16, 'f', false],
    ['smallint', 21, '-7', -7],
    ['integer', 23, '2147483647', 2147483647],
    ['bigint', 20, '9007199254740991', 9007199254740991],
    ['bigint beyond 2^53', 20, '9007199254740993', '9007199254740993'],
    ['bigint beyond -2^53', 20, '-9223372036854775808', '-9223372036854775808'],
    ['double precision', 701, '0.1', 0.1],
    ['double precision', 701, '1e-300', 1e-300],
    ['NaN', 701, 'NaN', null],
    ['infinity', 701, '-Infinity', null],
    ['real', 700, '1.5', 1.5],
    ['jsonb', 3802, '{"a": [1, null]}', { a: [1, null] }],
    ['jsonb null', 3802, 'null', null],
    ['json', 114, '"x"', 'x'],
    ['numeric', 1700, '1.10', '1.10'],
    ['uuid', 2950, '0b7a1c2e-8f0e-4d6a-9d7b-1f2e3d4c5b6a', '0b7a1c2e-8f0e-4d6a-9d7b-1f2e3d4c5b6a'],
    ['varchar', 1043, '1', '1'],
    ['date', 1082, '2024-03-28', '2024-03-28'],
    ['text[]', 1009, '{a,"b c",NULL,"x\\"y","{}"}', ['a', 'b c', 'x"y', '{}']],
    ['varchar[]', 1015, '{}', []],
    ['text[][]', 1009, '{{a,b},{c,d}}', ['a', 'b', 'c', 'd']],
    ['text[] with bounds', 1009, '[0:1]={a,b}', ['a', 'b']],
  ])('of type %s is read as a document builder expects it', (_, oid, text, value) => {
    expect(decode(oid, text)).toEqual(value);
  });

  test('every array of texts comes back', () => {
    const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        expect(decode(1009, `{${texts.map(quote).join(',')}}`)).toEqual(texts);
      }),
    );
  });
});

describe('a date', () => {
  test.each([
    ['2024-03-28 00:00:00+00', '2024-03-28T00:00:00+00:00'],
    ['2024-03-28 01:02:03.456789+00', '2024-03-28T01:02:03.456789+00:00'],
    ['2024-03-28 01:02:03.5', '2024-03-28T01:02:03.5+00:00'],
    ['2024-03-28 01:02:03+05:30', '2024-03-28T01:02:03+05:30'],
    ['0001-01-01 00:00:00+00', '0001-01-01T00:00:00+00:00'],
    ['9999-12-31 23:59:59.999999+00', '9999-12-31T23:59:59.999999+00:00'],
    ['10000-01-01 00:00:00+00', null],
    ['0044-03-15 00:00:00+00 BC', null],
    ['infinity', null],
    ['-infinity', null],
  ])('%s is %s', (text, iso) => {
    expect(decodeTimestamp(text)).toBe(iso);
  });

  test('that the search engine cannot hold is counted', () => {
    let leftOut = 0;
    const decoder = decoderOf(1184, () => (leftOut += 1));
    expect(decoder('infinity')).toBeNull();
    expect(decoder('2024-03-28 00:00:00+00')).not.toBeNull();
    expect(leftOut).toBe(1);
  });
});
