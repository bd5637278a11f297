import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CopyFixture, identifierOf, mappingOf, mediaOf, plainMedia } from './fixture.js';

let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

describe('columns', () => {
  test('D15: standardized_popularity arrives although the live table lacks it', async () => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1), standardized_popularity: 0.25 }]);
    await fixture.copy(mediaOf('image'));
    expect(await fixture.inApi('select standardized_popularity from temp_import_image')).toEqual([
      { standardized_popularity: 0.25 },
    ]);
  });

  test('D16: set_position arrives as audio_set_position', async () => {
    await fixture.addRecords('audio', [{ identifier: identifierOf(1), set_position: 3 }]);
    await fixture.copy(mediaOf('audio'));
    expect(await fixture.inApi('select audio_set_position from temp_import_audio')).toEqual([
      { audio_set_position: 3 },
    ]);
  });

  test('columns that are dropped or left to defaults are reported', async () => {
    await fixture.inApi(`alter table image add column note text default 'none'`);
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    const result = await fixture.copyMain(mediaOf('image'));
    expect(result.droppedColumns).toEqual(['ingestion_type']);
    expect(result.defaultedColumns).toEqual(['note']);
    expect(await fixture.inApi('select note from temp_import_image')).toEqual([{ note: 'none' }]);
  });

  test('created_on and updated_on are copied where upstream has them, else they are the time of the copy', async () => {
    const set = { foreign_identifier: 's', title: 'A set', url: 'https://example.org/s' };
    await fixture.addRecords('audio', [
      { identifier: identifierOf(1), audio_set: JSON.stringify(set), audio_set_foreign_identifier: 's' },
    ]);
    const { snapshotAt } = await fixture.copy(mediaOf('audio'));
    const [audio] = await fixture.inApi('select created_on::text as c from temp_import_audio');
    expect(String(audio?.['c'])).toContain('2024-01-02 03:04:05.678901');
    const [audioset] = await fixture.inApi<{ created_on: Date; title: string }>(
      'select created_on, title from temp_import_audioset',
    );
    expect(audioset).toMatchObject({ title: 'A set', created_on: snapshotAt });
  });

  test('a live column that must be filled but has neither source nor default is named before anything is copied', async () => {
    await fixture.inApi('alter table image add column shelf text not null');
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    await expect(fixture.copy(mediaOf('image'), { runId: 'r' })).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
      details: { column: 'shelf', table: 'image', database: 'catalog' },
    });
    expect(await fixture.leftovers('r')).toEqual([]);
  });

  test.each([
    ['catalog', { requiredColumns: ['view_count'] }, 'view_count'],
    ['API database', { requiredColumns: ['ingestion_type'] }, 'ingestion_type'],
    ['catalog', { renames: { nothing: 'identifer' }, key: ['identifer'] }, 'identifer'],
    ['API database', { idColumn: 'key' }, 'key'],
    ['API database', { addUrlSchemesTo: ['uri'] }, 'uri'],
  ])('a column that the %s lacks is named', async (database, changes, column) => {
    const failure = await fixture
      .copy(mediaOf('image', changes))
      .catch((error: unknown) => error as { code: string; details: { database: string; column: string } });
    expect(failure).toMatchObject({ code: 'COLUMN_MISSING' });
    if (column !== 'identifer') expect(failure).toMatchObject({ details: { database, column } });
  });

  test('names with quotes, spaces, capitals and dots in columns are quoted', async () => {
    const column = 'No "way" . to\tname; drop table image --';
    const quoted = `"${column.replaceAll('"', '""')}"`;
    const table = `"Thing's \\ ""best"""`;
    await fixture.inCatalog(`create table ${table} ("Key" text primary key, ${quoted} text, "from up" int)`);
    await fixture.inApi(
      `create table ${table} ("the ID" serial primary key, "Key" text unique, ${quoted} text, "to % down" int)`,
    );
    await fixture.inCatalog(`insert into ${table} values ('k', 'v', 1)`);
    const name = `Thing's \\ "best"`;
    const media = plainMedia(
      mappingOf(name, ['Key'], { idColumn: 'the ID', renames: { 'from up': 'to % down' } }),
    );
    const result = await fixture.copyMain(media);
    expect(result.tempTable.name).toEqual({ schema: 'public', name: `temp_import_${name}` });
    const rows = await fixture.inApi(`select * from "temp_import_${name.replaceAll('"', '""')}"`);
    expect(rows).toEqual([{ 'the ID': 1, Key: 'k', [column]: 'v', 'to % down': 1 }]);
    expect(await fixture.inApi(`select to_regclass('image') is not null as there`)).toEqual([
      { there: true },
    ]);
  });

  test('awkward texts, numbers and arrays arrive as they are', async () => {
    const title = 'tab\t new\nline \\N \\. back\\slash \r\b\f\v é \u{1f600} "quotes" \'';
    await fixture.addRecords('audio', [
      {
        identifier: identifierOf(1),
        title,
        creator: '\\.',
        genres: ['a,b', '"q"', 'c\\d', ''],
        meta_data: '{"big": 12345678901234567890123, "exact": 0.90, "text": "a\\tb\\\\c"}',
        standardized_popularity: 0.1 + 0.2,
      },
      { identifier: identifierOf(2), title: '', creator: null },
    ]);
    const result = await fixture.copyMain(mediaOf('audio'));
    const list =
      'identifier, title, creator, genres, meta_data::text, standardized_popularity, updated_on, url';
    const copied = await fixture.inApi(`select ${list} from temp_import_audio order by identifier`);
    expect(copied).toEqual(await fixture.inCatalog(`select ${list} from audio order by identifier`));
    expect(copied[0]?.['title']).toBe(title);
    expect(result.rowsChanged).toBe(0);
  });

  test('a value that does not fit ends the copy and names column, record and reason; nothing is left', async () => {
    await fixture.addManyImages(2000);
    await fixture.inApi('alter table image alter column title type varchar(10)');
    await fixture.addRecords('image', [
      { identifier: identifierOf(77), title: 'far too long for\tit, "yes": no' },
    ]);
    const failure = await fixture
      .copy(mediaOf('image'), { runId: 'r' })
      .catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'COPY_VALUE_REFUSED',
      details: { column: 'title', key: identifierOf(77), table: 'image' },
    });
    expect((failure as Error).message).toContain('value too long for type character varying(10)');
    expect(await fixture.leftovers('r')).toEqual([]);
  });

  test('an integer that overflows and a null that may not be are named', async () => {
    await fixture.inCatalog('create table thing (k int primary key, n bigint, t text)');
    await fixture.inApi('create table thing (id serial primary key, k int unique, n int, t text not null)');
    const media = plainMedia(mappingOf('thing', ['k']));
    await fixture.inCatalog(`insert into thing values (1, 5, 'x'), (2, 3000000000, 'y')`);
    await expect(fixture.copy(media)).rejects.toMatchObject({
      code: 'COPY_VALUE_REFUSED',
      details: { column: 'n', key: '2', row: 2 },
    });
    await fixture.inCatalog(`update thing set n = 1, t = nullif(t, 'y')`);
    await expect(fixture.copy(media)).rejects.toMatchObject({
      code: 'COPY_VALUE_REFUSED',
      details: { column: 't', key: '2' },
    });
  });

  test('a generated column is left to itself', async () => {
    await fixture.inCatalog('create table thing (k int primary key, n int, twice int)');
    await fixture.inCatalog('insert into thing values (1, 2, 3)');
    await fixture.inApi(
      'create table thing (id serial primary key, k int unique, n int, twice int generated always as (n * 2) stored)',
    );
    const failure = await fixture
      .copyMain(plainMedia(mappingOf('thing', ['k'])))
      .catch((error: unknown) => error as { code: string });
    // Such a table is refused as a whole, or its column is computed: never filled with upstream's.
    if ('code' in failure) expect(failure.code).not.toBe('COPY_VALUE_REFUSED');
    else expect(failure.droppedColumns).toContain('twice');
  });
});
