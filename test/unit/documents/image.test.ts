import { describe, expect, test } from 'vitest';
import { imageDocument } from '../../../src/documents/image.js';
import { imageRow, notSensitive, sensitive } from './rows.js';

const build = (changes: Parameters<typeof imageRow>[0] = {}) =>
  imageDocument.build(imageRow(changes), notSensitive);

describe('an image document', () => {
  test('has the columns as they are, the license lower-cased, and both boosts', () => {
    expect(build()).toEqual({
      id: 7,
      identifier: '0b7a1c2e-8f0e-4d6a-9d7b-1f2e3d4c5b6a',
      created_on: '2024-03-28T00:00:00+00:00',
      provider: 'unlisted',
      source: 'museum',
      category: 'photograph',
      title: 'A river',
      creator: 'Nobody',
      url: 'https://a.org/river.jpg',
      license: 'by-sa',
      mature: false,
      max_boost: 1,
      min_boost: 1,
      aspect_ratio: 'wide',
      size: 'medium',
      extension: 'jpg',
    });
  });

  test('leaves null columns out and keeps empty texts', () => {
    const document = build({ title: null, creator: '', category: null, width: null, url: null });
    for (const absent of ['title', 'category', 'aspect_ratio', 'size', 'extension', 'url'])
      expect(document).not.toHaveProperty(absent);
    expect(document['creator']).toBe('');
  });

  test.each([
    [true, true],
    ['true', true],
    [false, false],
    ['false', false],
    ['True', false],
    [1, false],
    [null, false],
    [{}, false],
  ])('meta_data.mature %j gives mature %j', (mature, expected) => {
    expect(build({ meta_data: { mature } })['mature']).toBe(expected);
  });

  test('is mature when the sensitive-media table has it, whatever meta_data says', () => {
    const row = imageRow({ meta_data: { mature: false } });
    expect(imageDocument.build(row, sensitive)['mature']).toBe(true);
  });

  test.each([
    [0.5, 50, 50, 1],
    [0.004, 0.4, 1, 0.4],
    [1, 100, 100, 1],
    [3.7, 100, 100, 1],
    [0, undefined, 1, 1],
    [null, undefined, 1, 1],
    [-0.25, undefined, 1, 1],
    [1e-45, undefined, 1, 1],
  ])(
    'D45: popularity %j gives rank %j, max %j, min %j, and never a rank that is refused',
    (column, rank, max, min) => {
      const document = build({ standardized_popularity: column });
      expect(document['standardized_popularity']).toBe(rank);
      expect([document['max_boost'], document['min_boost']]).toEqual([max, min]);
    },
  );

  test.each([
    ['met', 90],
    ['rawpixel', 85],
    ['flickr', 75],
    ['constructor', undefined],
    [null, undefined],
  ])('the provider %j has authority %j', (provider, authority) => {
    expect(build({ provider })['authority_boost']).toBe(authority);
  });

  test.each([
    [85, 85],
    ['85', 85],
    ['12.5', 12.5],
    ['-3', undefined],
    [500, 100],
    [0, undefined],
    [-7, undefined],
    ['true', undefined],
    ['inf', undefined],
    ['nan', undefined],
    ['1_0', undefined],
    ['', undefined],
    ['high', undefined],
    [true, undefined],
    [null, undefined],
    [[85], undefined],
  ])("D45: meta_data.authority_boost %j gives authority %j and never the provider's", (stated, authority) => {
    const document = build({ provider: 'met', meta_data: { authority_boost: stated } });
    expect(document['authority_boost']).toBe(authority);
    expect(document['max_boost']).toBe(Math.max(1, authority ?? 1));
  });

  test.each([[['a', 'b']], ['text'], [3], [true], [null]])(
    'D45: meta_data %j, which is no object, counts as absent',
    (metaData) => {
      const document = build({ meta_data: metaData, provider: 'flickr' });
      expect(document).toMatchObject({ mature: false, authority_boost: 75 });
      expect(document).not.toHaveProperty('description');
    },
  );

  test.each([
    ['', ''],
    [12, undefined],
    [null, undefined],
    [['x'], undefined],
    ['a'.repeat(2_000), 'a'.repeat(2_000)],
    ['a'.repeat(2_001), 'a'.repeat(2_000)],
    ['\u{1f600}'.repeat(2_001), '\u{1f600}'.repeat(2_000)],
  ])('case %#: the description is the first 2,000 code points of a text, else absent', (stated, expected) => {
    expect(build({ meta_data: { description: stated } })['description']).toBe(expected);
  });

  test('has one entry per tag that has a name, without its provider', () => {
    const tags = [
      { name: 'river', provider: 'clarifai', accuracy: 0.97 },
      { name: '' },
      { name: 'text accuracy', accuracy: '0.95' },
      { name: 'zero', accuracy: 0 },
      { name: 'beyond a float', accuracy: 1e39 },
      { name: 7 },
      { accuracy: 0.9 },
      null,
      'river',
      ['river'],
    ];
    expect(build({ tags })['tags']).toEqual([
      { name: 'river', accuracy: 0.97 },
      { name: '' },
      { name: 'text accuracy' },
      { name: 'zero', accuracy: 0 },
      { name: 'beyond a float' },
    ]);
  });

  test.each([[[]], [{ name: 'x' }], ['x'], [null], [[null]]])('tags %j give no tags field', (tags) => {
    expect(build({ tags })).not.toHaveProperty('tags');
  });

  test.each([
    [3, 4, 'tall', 'small'],
    [4, 3, 'wide', 'small'],
    [5, 5, 'square', 'small'],
    [0, 0, 'square', 'small'],
    [0, 9, 'tall', 'small'],
    [307_199, 1, 'wide', 'small'],
    [307_200, 1, 'wide', 'medium'],
    [1_439_999, 1, 'wide', 'medium'],
    [1_440_000, 1, 'wide', 'large'],
    [2_147_483_647, 2_147_483_647, 'square', 'large'],
  ])('%i × %i is %s and %s', (width, height, ratio, size) => {
    expect(build({ width, height })).toMatchObject({ aspect_ratio: ratio, size });
  });

  test.each([
    ['https://a.org/x.JPG', 'jpg'],
    ['https://a.org/x.jpg?w=1', 'jpg'],
    ['x.jpg?w=1', 'jpg'],
    ['https://a.org/x.jpg?next=/y.png', 'jpg'],
    ['https://a.org/x.svg#layer.1', 'svg'],
    ['https://a.org/x.tar.gz', 'gz'],
    ['https://a.org', undefined],
    ['https://a.org/', undefined],
    ['https://a.org?x.jpg', undefined],
    ['//a.org', undefined],
    ['https://a.org/v1.2/file', undefined],
    ['https://a.org/file.', undefined],
    ['https://a.org/.hidden', 'hidden'],
    ['', undefined],
    [null, undefined],
  ])('D45: the url %j has the extension %j', (url, extension) => {
    expect(build({ url })['extension']).toBe(extension);
  });
});
