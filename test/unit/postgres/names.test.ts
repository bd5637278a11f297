import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tempTableOf } from '../../../src/postgres/identifiers.js';
import {
  cutToBytes,
  generatedIndexName,
  keptOrphansName,
  previousIndexName,
  previousTableName,
} from '../../../src/postgres/names.js';

const bytes = (text: string): number => Buffer.byteLength(text);
const liveName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 63 })
  .filter((name) => bytes(name) <= 63);

describe('generated names', () => {
  test('D29: every one of them fits into 63 bytes, whatever the live name', () => {
    fc.assert(
      fc.property(liveName, fc.string(), fc.nat(), fc.nat(5_000), (name, runId, oid, position) => {
        const names = [
          tempTableOf({ schema: 's', name }).name,
          previousTableName(name, runId),
          previousIndexName(runId, oid, position),
          generatedIndexName(runId, oid, position),
          keptOrphansName(runId, position),
        ];
        for (const each of names) expect(bytes(each)).toBeLessThanOrEqual(63);
      }),
    );
  });

  test('two long names that begin alike get two temp tables', () => {
    const one = tempTableOf({ schema: 's', name: `${'a'.repeat(62)}1` });
    const other = tempTableOf({ schema: 's', name: `${'a'.repeat(62)}2` });
    expect(one).not.toEqual(other);
  });

  test('a short name is left whole', () => {
    expect(tempTableOf({ schema: 'public', name: 'image' })).toEqual({
      schema: 'public',
      name: 'temp_import_image',
    });
  });

  test('two runs never give the previous table one name, nor two tables of a run their indexes', () => {
    expect(previousTableName('image', 'run-1')).not.toBe(previousTableName('image', 'run-2'));
    expect(generatedIndexName('run-1', 16_400, 1)).not.toBe(generatedIndexName('run-1', 16_401, 1));
  });

  test('a name is never cut inside a character', () => {
    expect(cutToBytes('aéé', 4)).toBe('aé');
  });
});
