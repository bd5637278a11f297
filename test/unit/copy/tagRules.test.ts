import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TagRules } from '../../../src/config/types.js';
import { filterTags } from '../../../src/copy/tagRules.js';

const rules: TagRules = {
  column: 'tags',
  accuracyMin: 0.9,
  droppedProviders: ['rekognition'],
  droppedNames: ['no person', 'squareformat', 'by'],
  droppedNameParts: ['uploaded', ':', '=', 'cc0', 'by-nc', 'pdm'],
};

/** The specification's sentences, one after the other, on values; independent of how texts are cut. */
function isKept(tag: unknown): boolean {
  if (tag === null || typeof tag !== 'object' || Array.isArray(tag)) return false;
  const fields = new Map(Object.entries(tag));
  const name: unknown = fields.get('name');
  if (typeof name !== 'string') return false;
  if (fields.has('accuracy')) {
    const accuracy: unknown = fields.get('accuracy');
    const asText = typeof accuracy === 'string' ? accuracy.trim() : null;
    const number =
      asText === null ? accuracy : asText === '' || /[^0-9eE+.-]/.test(asText) ? NaN : Number(asText);
    if (typeof number !== 'number' || Number.isNaN(number) || number < 0.9) return false;
  }
  if (fields.get('provider') === 'rekognition') return false;
  const lower = name.toLowerCase();
  return !rules.droppedNames.includes(lower) && !rules.droppedNameParts.some((part) => lower.includes(part));
}

const names = fc.oneof(
  fc.constantFrom(
    'cat',
    'By',
    'by',
    ' by',
    ' cc0',
    'No Person',
    'a:b',
    'UPLOADED',
    'x=y',
    'PDM',
    '',
    'squareformat ',
  ),
  fc.string({
    unit: fc.constantFrom('"', '\\', ',', '[', ']', '{', '}', ':', 'a', ' ', '\n', 'é', '\u{1f600}'),
  }),
);
const accuracies: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    0.9,
    0.8999,
    1,
    0,
    -1,
    '0.9',
    ' 0.95 ',
    '0.89',
    '',
    'high',
    '1e0',
    '.95',
    null,
    true,
    [],
    {},
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const tags = fc.oneof(
  fc.record(
    {
      name: fc.oneof(
        { weight: 8, arbitrary: names },
        { weight: 1, arbitrary: fc.constantFrom(null, 5, ['a']) },
      ),
      accuracy: accuracies,
      provider: fc.constantFrom('rekognition', 'Rekognition', 'flickr', null),
      nested: fc.jsonValue({ maxDepth: 2 }),
    },
    { requiredKeys: ['name'] },
  ),
  fc.record({ title: names }),
  fc.constantFrom<unknown>(null, 'cat', 5, ['cat'], [{ name: 'cat' }], {}),
);

/** Prints a value with white space wherever JSON allows it. */
function printLoosely(value: unknown, space: string): string {
  const inner = (x: unknown): string => printLoosely(x, space);
  if (Array.isArray(value))
    return `${space}[${space}${value.map(inner).join(`${space},${space}`)}${space}]${space}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(
    ([key, x]) => `${JSON.stringify(key)}${space}:${space}${inner(x)}`,
  );
  return `{${space}${fields.join(`${space},${space}`)}${space}}`;
}

describe('filterTags', () => {
  test('keeps exactly the tags that the rules leave, in order, and counts the others', () => {
    const space = fc.constantFrom('', ' ', '\n', ' \t');
    fc.assert(
      fc.property(fc.array(tags), space, (list, between) => {
        const json = printLoosely(list, between);
        const parsed = JSON.parse(json) as unknown[];
        const kept = parsed.filter(isKept);
        const filtered = filterTags(json, rules);
        expect(JSON.parse(filtered.json)).toEqual(kept);
        const dropped = Object.values(filtered.dropped).reduce((sum, count) => sum + count, 0);
        expect(dropped).toBe(parsed.length - kept.length);
        if (dropped === 0) expect(filtered.json).toBe(json);
      }),
      { numRuns: 2000 },
    );
  });

  test('kept tags are the very text that they were', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.maxSafeNat()), { minLength: 1 }), (list) => {
        const text = (n: number): string =>
          `{"name": "\\u0063at ${n}",  "accuracy": 0.900, "n": 9${n}0000000000000000000001, "s": "],[{\\"" }`;
        const json = `[${list.map(([isKeptOne, n]) => (isKeptOne ? text(n) : '{"name": "a:b"}')).join(', ')}]`;
        const expected = `[${list
          .filter(([isKeptOne]) => isKeptOne)
          .map(([, n]) => text(n))
          .join(', ')}]`;
        expect(filterTags(json, rules).json).toBe(expected);
      }),
    );
  });

  test.each<[string, boolean]>([
    ['{"name": "cat", "accuracy": 0.90}', true],
    ['{"name": "cat", "accuracy": 0.8999999}', false],
    ['{"name": "cat", "accuracy": "0.90"}', true],
    ['{"name": "cat", "accuracy": "0.89"}', false],
    ['{"name": "cat", "accuracy": 1e400}', true],
    ['{"name": "cat", "accuracy": "0x10"}', false],
    ['{"name": "cat", "accuracy": "Infinity"}', false],
    ['{"name": " cc0"}', false],
    ['{"name": " by"}', true],
    ['{"name": "BY"}', false],
    ['{"name": "CC0 licence"}', false],
    ['{"name": "cat", "provider": "rekognition"}', false],
    ['{"name": "cat", "provider": "Rekognition"}', true],
    ['{"name": ""}', true],
    ['{"accuracy": 1}', false],
    ['{"name": "cat", "__proto__": {"accuracy": 0.1}}', true],
  ])('%s is kept: %s', (tag, isKeptOne) => {
    expect(filterTags(`[${tag}]`, rules).json).toBe(isKeptOne ? `[${tag}]` : '[]');
  });

  test('D23: a list whose tags are all dropped becomes empty', () => {
    expect(filterTags('[{"name": "a:b"}, {"name": "by"}]', rules)).toEqual({
      json: '[]',
      dropped: { 'name part': 1, name: 1 },
      malformed: false,
    });
  });

  test('a tag of which a name is wanted twice is dropped for the first reason only', () => {
    expect(
      filterTags('[{"name": "a:b", "accuracy": 0.1, "provider": "rekognition"}]', rules).dropped,
    ).toEqual({
      'low accuracy': 1,
    });
  });

  test.each(['null', '[]', '[{"name": "cat"}]', ' [ ] '])('%s stays and is not malformed', (json) => {
    expect(filterTags(json, rules)).toEqual({ json, dropped: {}, malformed: false });
  });

  test.each(['{"name": "a:b"}', '"cat"', '5', 'true', '', 'no json', '[{]'])(
    'D24: %s is no list: it stays and counts as malformed',
    (json) => {
      expect(filterTags(json, rules)).toEqual({ json, dropped: {}, malformed: true });
    },
  );

  test.each([
    '["cat"]',
    '[null]',
    '[["cat"]]',
    '[{"name": "cat", "accuracy": null}]',
    '[{"name": "cat", "accuracy": "x"}]',
  ])('D24: the element of %s is dropped and counts as malformed', (json) => {
    expect(filterTags(json, rules)).toMatchObject({ json: '[]', malformed: true });
  });
});
