import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TransformRow } from '../../../src/config/types.js';
import type { CopyProgress } from '../../../src/copy/copyMedia.js';
import { CopyFixture, identifierOf, mappingOf, mediaOf, plainMedia } from './fixture.js';

let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

const addAudios = (from: number, to: number): Promise<unknown> =>
  fixture.inCatalog(
    `insert into audio (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source,
       audio_set, audio_set_foreign_identifier)
     select md5(i::text)::uuid, now(), now(), 'jamendo', 'jamendo', i::text, 'https://example.org/' || i, 'by', false,
       jsonb_build_object('title', 'set ' || i, 'url', 'https://example.org/set/' || i), i::text from generate_series($1::int, $2::int) i`,
    [from, to],
  );

describe('snapshot', () => {
  test('D17: audio and audioset come from one snapshot while the catalog is written to', async () => {
    await addAudios(1, 500);
    let writing: Promise<unknown> | null = null;
    const write = async (): Promise<void> => {
      await addAudios(501, 600);
      await fixture.inCatalog(`delete from audio where foreign_identifier::int <= 50`);
      await fixture.inCatalog(`update audio set title = 'changed'`);
    };
    // The first table's keys are read by now; its rows and the other table are not.
    const onProgress = ({ table, rowsKeyed }: CopyProgress): void => {
      if (table === 'audio' && rowsKeyed === 500) writing ??= write();
    };
    const transform = (row: TransformRow): TransformRow => row;
    const { tables } = await fixture.copy(mediaOf('audio', { transform }), { onProgress });
    await (writing as Promise<unknown> | null);
    expect(tables.map((table) => table.rowsCopied)).toEqual([500, 500]);
    const [sets] = await fixture.inApi(
      `select count(*)::int as count, count(*) filter (where a.title is null)::int as old from temp_import_audioset s
       join temp_import_audio a on a.audio_set_foreign_identifier = s.foreign_identifier`,
    );
    expect(sets).toEqual({ count: 500, old: 500 });
  });

  test('a view is copied by its key: sets keep their ids', async () => {
    await addAudios(1, 200);
    const first = await fixture.copy(mediaOf('audio'));
    for (const { table, nextId } of first.tables) await fixture.promote(table, nextId);
    await fixture.inCatalog(`update audio set updated_on = now() where random() < 0.5`);
    await addAudios(201, 210);
    const before = await fixture.inApi('select foreign_identifier, id from audioset order by id');
    const second = await fixture.copy(mediaOf('audio'));
    expect(second.tables.map(({ idsKept, idsNew }) => [idsKept, idsNew])).toEqual([
      [200, 10],
      [200, 10],
    ]);
    expect(
      await fixture.inApi(
        `select foreign_identifier, id from temp_import_audioset where foreign_identifier::int <= 200 order by id`,
      ),
    ).toEqual(before);
  });

  test('with a record limit the first records by key are copied, with the ids that they have', async () => {
    await fixture.addRecords(
      'image',
      [5, 3, 9, 1, 7].map((n) => ({ identifier: identifierOf(n) })),
    );
    await fixture.promote('image', (await fixture.copyMain(mediaOf('image'))).nextId);
    const before = await fixture.inApi('select identifier, id from image order by identifier limit 3');
    const result = await fixture.copyMain(mediaOf('image'), { recordLimit: 3 });
    expect(result).toMatchObject({ rowsCopied: 3, idsKept: 3, idsNew: 0 });
    expect(await fixture.inApi('select identifier, id from temp_import_image order by 1')).toEqual(before);
  });

  test('a record limit on a text key does not depend on the collation of the database', async () => {
    await fixture.inCatalog('create table thing (k text primary key)');
    await fixture.inApi('create table thing (id serial primary key, k text unique)');
    await fixture.inCatalog(`insert into thing values ('b'), ('B'), ('a'), ('Ä'), ('A'), ('_')`);
    await fixture.copy(plainMedia(mappingOf('thing', ['k'])), { recordLimit: 4 });
    const rows = await fixture.inApi('select k from temp_import_thing order by id');
    expect(rows.map((row) => row['k'])).toEqual(['A', 'B', '_', 'a']);
  });

  test('progress tells the rows copied of the rows expected and ends at exactly all', async () => {
    await fixture.addManyImages(4000);
    const seen: CopyProgress[] = [];
    await fixture.copy(mediaOf('image'), { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ table: 'image', rowsKeyed: 4000, rowsCopied: 4000, rowsExpected: 4000 });
    expect(seen.every((progress) => progress.rowsCopied <= progress.rowsExpected)).toBe(true);
  });

  test('the snapshot is over when the copy is', async () => {
    await fixture.addManyImages(10);
    await fixture.copy(mediaOf('image'), { runId: 'r' });
    const sessions = (await fixture.leftovers('r')).filter((row) => row['kind'] === 'session');
    expect(sessions).toEqual([]);
  });
});
