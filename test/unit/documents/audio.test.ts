import { describe, expect, test } from 'vitest';
import { audioDocument } from '../../../src/documents/audio.js';
import { audioRow, notSensitive } from './rows.js';

const build = (changes: Parameters<typeof audioRow>[0] = {}) =>
  audioDocument.build(audioRow(changes), notSensitive);

describe('an audio document', () => {
  test('has length, file type and extension, and nothing of an image', () => {
    const document = build({ url: 'https://a.org/x.ogg' });
    expect(document).toMatchObject({ length: 'shortest', filetype: 'mp3', extension: 'mp3' });
    for (const absent of ['size', 'aspect_ratio']) expect(document).not.toHaveProperty(absent);
  });

  test.each([
    [null, undefined],
    [0, undefined],
    [1, 'shortest'],
    [29_999, 'shortest'],
    [30_000, 'short'],
    [119_999, 'short'],
    [120_000, 'medium'],
    [599_999, 'medium'],
    [600_000, 'long'],
  ])('a duration of %j ms is %j', (duration, length) => {
    expect(build({ duration })['length']).toBe(length);
  });

  test.each([
    [
      [{ filetype: 'ogg' }, { filetype: 'wav', bit_rate: 9 }],
      ['ogg', 'wav'],
    ],
    [[{ filetype: null }, { filetype: 'wav' }, null, 'x'], ['wav']],
    [[{ url: 'x' }], 'mp3'],
    [[], 'mp3'],
    [{ filetype: 'ogg' }, 'mp3'],
    [null, 'mp3'],
  ])('alt_files %j give the extension %j', (altFiles, extension) => {
    expect(build({ alt_files: altFiles })['extension']).toEqual(extension);
  });

  test('without any file type there is no extension', () => {
    const document = build({ filetype: null });
    expect(document).not.toHaveProperty('extension');
    expect(document).not.toHaveProperty('filetype');
  });
});
