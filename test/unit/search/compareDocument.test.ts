import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareDocument } from '../../../src/search/documents.js';

describe('comparing a document with its row', () => {
  it('a document equals itself after its way as JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (document) => {
        expect(compareDocument(document, JSON.parse(JSON.stringify(document)) as typeof document)).toEqual(
          [],
        );
      }),
    );
  });

  it('names each field that differs, lacks or is too many', () => {
    const expected = { id: 1, title: 'a', tags: [{ name: 'x' }, { name: 'y' }], mature: false, gone: 1 };
    const found = { id: 1, title: 'b', tags: [{ name: 'y' }, { name: 'x' }], mature: false, extra: 0 };
    expect(compareDocument(expected, found)).toEqual(['extra', 'gone', 'tags', 'title']);
  });

  it('takes the order of keys and absent fields as no difference', () => {
    expect(compareDocument({ a: { b: 1, c: 2 }, d: undefined }, { a: { c: 2, b: 1 } })).toEqual([]);
  });
});
