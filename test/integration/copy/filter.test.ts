import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TransformRow } from '../../../src/config/types.js';
import { CopyFixture, identifierOf, mediaOf } from './fixture.js';

let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

const texts = (column: string) =>
  fixture
    .inApi<{ text: string | null }>(
      `select ${column}::text as text from temp_import_image order by identifier`,
    )
    .then((rows) => rows.map((row) => row.text));

describe('filter and transform', () => {
  test.each([1, 2, 999, 1000, 1001])('D22: every row is filtered, of %i rows', async (count) => {
    await fixture.addManyImages(count, '[{"name": "a:b"}, {"name": "cat"}]');
    const result = await fixture.copyMain(mediaOf('image'));
    expect(result).toMatchObject({
      rowsCopied: count,
      rowsChanged: count,
      tagsDropped: { 'name part': count },
    });
    const kept = await fixture.inApi('select distinct tags::text from temp_import_image');
    expect(kept).toEqual([{ tags: '[{"name": "cat"}]' }]);
  });

  test('D23: a row whose tags are all dropped gets an empty list; kept tags pass as the text that they were', async () => {
    const rows = [
      '[{"name": "a:b"}]',
      '[{"name": "cat", "accuracy": 0.90, "big": 12345678901234567890}, {"name": "NO PERSON"}]',
      '[{"name": "say \\"hi\\" \\\\ \\t", "accuracy": 0.9000}]',
      null,
      '[]',
    ];
    await fixture.addRecords(
      'image',
      rows.map((tags, i) => ({ identifier: identifierOf(i), tags })),
    );
    const result = await fixture.copyMain(mediaOf('image'));
    expect(await texts('tags')).toEqual([
      '[]',
      '[{"big": 12345678901234567890, "name": "cat", "accuracy": 0.90}]',
      '[{"name": "say \\"hi\\" \\\\ \\t", "accuracy": 0.9000}]',
      null,
      '[]',
    ]);
    expect(result).toMatchObject({
      rowsChanged: 2,
      malformedTags: 0,
      tagsDropped: { 'name part': 1, name: 1 },
    });
  });

  test('D24: tags that are no list and accuracies that are no number are counted as malformed, and the run goes on', async () => {
    const rows = [
      '{"name": "cat"}',
      '"cat"',
      '["cat"]',
      '[{"name": "cat", "accuracy": null}]',
      '[{"name": "cat", "accuracy": "high"}]',
      '[{"name": "cat", "accuracy": "0.95"}]',
      'null',
      '{}',
    ];
    await fixture.addRecords(
      'image',
      rows.map((tags, i) => ({ identifier: identifierOf(i), tags })),
    );
    const result = await fixture.copyMain(mediaOf('image'));
    expect(await texts('tags')).toEqual([
      '{"name": "cat"}',
      '"cat"',
      '[]',
      '[]',
      '[]',
      '[{"name": "cat", "accuracy": "0.95"}]',
      'null',
      '{}',
    ]);
    expect(result).toMatchObject({ rowsCopied: 8, malformedTags: 6 });
  });

  test('missing URL schemes are added where that is on, and only there', async () => {
    await fixture.addRecords('image', [
      { identifier: identifierOf(1), url: 'example.org/a\tb', creator_url: 'example.org/c' },
      { identifier: identifierOf(2), url: 'http://example.org/b', creator_url: null },
    ]);
    const result = await fixture.copyMain(
      mediaOf('image', { addUrlSchemesTo: ['url', 'foreign_landing_url'] }),
    );
    expect(await texts('url')).toEqual(['https://example.org/a\tb', 'http://example.org/b']);
    expect(await texts('creator_url')).toEqual(['example.org/c', null]);
    expect(result.rowsChanged).toBe(1);
  });

  test('a hook sees all columns as texts, changes rows, and leaves out those for which it returns null', async () => {
    await fixture.addRecords('image', [
      { identifier: identifierOf(1), title: 'a\tb', width: 5, tags: '[{"name": "a:b"}]' },
      { identifier: identifierOf(2), title: null },
      { identifier: identifierOf(3), title: 'out' },
      { identifier: identifierOf(4), title: 'last' },
    ]);
    const seen: TransformRow[] = [];
    const transform = (row: TransformRow): TransformRow | null => {
      seen.push({ ...row });
      if (row['title'] === 'out') return null;
      return row['title'] === null ? row : { ...row, title: `${row['title']}\\N\n` };
    };
    const result = await fixture.copyMain(mediaOf('image', { transform }));
    expect(seen[0]).toMatchObject({
      identifier: identifierOf(1),
      title: 'a\tb',
      width: '5',
      tags: '[]',
      watermarked: null,
      removed_from_source: 'f',
    });
    expect(await texts('title')).toEqual(['a\tb\\N\n', null, 'last\\N\n']);
    expect(result).toMatchObject({ rowsCopied: 3, leftOutByTransform: 1, rowsChanged: 2, nextId: 4n });
  });

  test.each<[string, (row: TransformRow) => unknown]>([
    [
      'threw: oh no',
      () => {
        throw new Error('oh no');
      },
    ],
    ['gave a number for the column title', (row) => ({ ...row, title: 5 })],
    [
      'gave no value for the column title',
      (row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'title')),
    ],
    ['gave the column colour, which is not copied', (row) => ({ ...row, colour: 'red' })],
    ['changed the key column identifier', (row) => ({ ...row, identifier: identifierOf(9) })],
    ['gave a promise', (row) => Promise.resolve(row)],
    ['gave no row', () => undefined],
  ])('a hook that misbehaves ends the copy and names the record: %s', async (what, transform) => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    const media = mediaOf('image', { transform: transform as (row: TransformRow) => TransformRow });
    const failure = await fixture.copy(media, { runId: 'r' }).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ code: 'TRANSFORM_FAILED', details: { key: identifierOf(1) } });
    expect((failure as Error).message).toContain(what);
    expect(await fixture.leftovers('r')).toEqual([]);
  });

  test('a text with a NUL from a hook is refused and named', async () => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    const transform = (row: TransformRow): TransformRow => ({ ...row, title: 'a\0b' });
    await expect(fixture.copy(mediaOf('image', { transform }))).rejects.toMatchObject({
      code: 'COPY_VALUE_REFUSED',
      details: { key: identifierOf(1) },
    });
  });
});
