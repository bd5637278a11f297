import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { audioDocument } from '../../../src/documents/audio.js';
import { documentDigest } from '../../../src/documents/digest.js';
import { imageDocument } from '../../../src/documents/image.js';
import { audioRow, imageRow } from './rows.js';

const json = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(
    fc.constantFrom('mature', 'description', 'authority_boost', 'name', 'accuracy', 'filetype', '__proto__'),
    fc.jsonValue(),
  ),
  fc.array(fc.dictionary(fc.constantFrom('name', 'accuracy', 'filetype', 'provider'), fc.jsonValue())),
);
const columns = fc.record({
  provider: fc.option(fc.constantFrom('met', 'flickr', 'toString', 'other')),
  title: fc.option(fc.string()),
  url: fc.option(fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string())),
  meta_data: json,
  tags: json,
  alt_files: json,
  standardized_popularity: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  width: fc.option(fc.integer()),
  height: fc.option(fc.integer()),
  duration: fc.option(fc.integer()),
});
const rankFeatures = ['standardized_popularity', 'authority_boost', 'max_boost', 'min_boost'];

describe.each([
  ['image', imageDocument, imageRow],
  ['audio', audioDocument, audioRow],
] as const)('whatever the columns hold, an %s document', (_, definition, rowOf) => {
  const documents = fc
    .tuple(columns, fc.boolean())
    .map(([changes, isSensitive]) => definition.build(rowOf(changes), { sensitive: isSensitive }));

  test('is built, without null, empty list or empty object', () => {
    fc.assert(
      fc.property(documents, (document) => {
        for (const value of Object.values(document)) {
          expect(value ?? null).not.toBeNull();
          if (typeof value === 'object') expect(Object.keys(value as object)).not.toHaveLength(0);
        }
      }),
    );
  });

  test('has rank features that are positive normal floats of at most 100', () => {
    fc.assert(
      fc.property(documents, (document) => {
        for (const field of rankFeatures.filter((name) => name in document)) {
          expect(Math.fround(document[field] as number)).toBeGreaterThanOrEqual(2 ** -126);
          expect(document[field]).toBeLessThanOrEqual(100);
        }
        expect(document).toHaveProperty('max_boost');
        expect(document).toHaveProperty('min_boost');
      }),
    );
  });

  test('is the same JSON after it was printed and parsed', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const printed = JSON.stringify(document);
        expect(JSON.stringify(JSON.parse(printed))).toBe(printed);
      }),
    );
  });

  test('has an extension without slash, dot, question mark or number sign', () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
        const { extension } = imageDocument.build(imageRow({ url }), { sensitive: false });
        if (extension !== undefined) expect(extension).toMatch(/^[^/.?#]+$/);
      }),
    );
  });
});

describe('the digest of a document definition', () => {
  test('changes with version, columns and builder, and with nothing else', () => {
    const digest = documentDigest(imageDocument);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(documentDigest({ ...imageDocument })).toBe(digest);
    expect(documentDigest({ ...imageDocument, version: 'other' })).not.toBe(digest);
    expect(documentDigest({ ...imageDocument, columns: ['id'] })).not.toBe(digest);
    expect(documentDigest({ ...imageDocument, build: () => ({}) })).not.toBe(digest);
  });
});
