import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidateAlias } from '../../../src/config/candidateAlias.js';
import {
  assertSuffix,
  filteredIndexName,
  indexName,
  isCandidateAlias,
  isWriteAlias,
  writeAlias,
} from '../../../src/search/names.js';

describe('index names', () => {
  it('are the alias and the suffix, with -filtered behind for the filtered index', () => {
    expect(indexName('image', 'abc')).toBe('image-abc');
    expect(filteredIndexName('image', 'abc')).toBe('image-abc-filtered');
  });

  it('tell the alias of writers from public ones', () => {
    expect(isWriteAlias(writeAlias('image-abc'))).toBe(true);
    expect(isWriteAlias('image')).toBe(false);
  });

  it('tell the alias of a held candidate by its name and by what it refuses', () => {
    expect(isCandidateAlias('image-candidate', { is_write_index: false })).toBe(true);
    expect(isCandidateAlias('image-candidate', {})).toBe(false);
    expect(isCandidateAlias('image', { is_write_index: false })).toBe(false);
  });

  it.each([
    '',
    'ABC',
    'a b',
    'a,b',
    'a*',
    '-a',
    '_a',
    '.',
    'a/b',
    'ä',
    'a:b',
    'a#',
    'filtered',
    'abc-filtered',
    'candidate',
    'filtered-candidate',
    'x'.repeat(65),
  ])('the suffix %j is refused', (suffix) => {
    expect(() => assertSuffix(suffix)).toThrow(expect.objectContaining({ code: 'SUFFIX_INVALID' }));
  });

  it.each(['init', '0f8fad5bd9cb469fa16570867728950e', '20261124', 'a.b_c-d'])(
    'the suffix %j is accepted',
    (suffix) => {
      expect(() => assertSuffix(suffix, ['image', 'audio'])).not.toThrow();
    },
  );

  it('a suffix that makes a name of more than 255 bytes with its alias is refused', () => {
    expect(() => assertSuffix('x'.repeat(64), ['a'.repeat(180)])).toThrow(/255/);
  });

  it('no accepted suffix makes the main index of one run the filtered index of another, or the alias of a held candidate', () => {
    const suffix = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}(-filtered|-candidate)?$|^candidate$/);
    fc.assert(
      fc.property(suffix, suffix, (one, other) => {
        const accepted = [one, other].every((text) => {
          try {
            assertSuffix(text);
            return true;
          } catch {
            return false;
          }
        });
        fc.pre(accepted);
        const taken = [
          filteredIndexName('image', other),
          candidateAlias('image'),
          candidateAlias('image-filtered'),
        ];
        return !taken.includes(indexName('image', one));
      }),
    );
  });
});
