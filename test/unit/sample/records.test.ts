import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awkwardAudioCases, awkwardImageCases } from '../../../src/sample/awkward/cases.js';
import { makeRecord } from '../../../src/sample/fillCatalog.js';
import { makeIdentifier, RecordRandom, scramble } from '../../../src/sample/random.js';
import { sampleMedia } from '../../../src/sample/types.js';

describe.each(sampleMedia)('%s records', (media) => {
  test('the same seed and index make the same record, another seed another one', () => {
    for (const index of [0, 1, 250, 499, 500, 5_000, 1_000_000]) {
      expect(makeRecord(media, 7, index)).toEqual(makeRecord(media, 7, index));
      expect(makeRecord(media, 7, index)).not.toEqual(makeRecord(media, 8, index));
    }
  });

  test('keys that must be unique are, and JSON columns hold JSON', () => {
    const seen = new Set<string>();
    const records = Array.from({ length: 20_000 }, (_, index) => makeRecord(media, 42, index));
    for (const record of records) {
      const { identifier, url, provider, foreign_identifier: foreign, tags, meta_data } = record;
      for (const json of [tags, meta_data]) if (json !== null) JSON.parse(json);
      const keys = [`i ${identifier}`, `u ${url}`, foreign === null ? null : `f ${provider} ${foreign}`];
      for (const key of keys.filter((key) => key !== null)) {
        expect(seen.has(key), key).toBe(false);
        seen.add(key);
      }
    }
  });

  test('all awkward cases are among the first 300 records', () => {
    const cases = media === 'image' ? awkwardImageCases : awkwardAudioCases;
    expect(cases.length).toBeLessThan(300);
    expect(cases.length).toBeGreaterThan(200);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });
});

test('different indexes never get the same identifier', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.integer(), (one, other, seed) => {
      fc.pre(one !== other);
      expect(scramble(one)).not.toBe(scramble(other));
      const identifier = makeIdentifier(new RecordRandom(seed, 1, one), one);
      expect(identifier).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(identifier).not.toBe(makeIdentifier(new RecordRandom(seed, 1, other), other));
    }),
  );
});

test('random numbers are spread evenly over records', () => {
  const shares = Array.from({ length: 20_000 }, (_, index) => new RecordRandom(1, 1, index).share());
  const tenths = Array.from(
    { length: 10 },
    (_, tenth) => shares.filter((share) => Math.floor(share * 10) === tenth).length,
  );
  for (const count of tenths) expect(Math.abs(count - 2_000)).toBeLessThan(250);
});
