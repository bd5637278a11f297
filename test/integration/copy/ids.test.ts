import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TransformRow } from '../../../src/config/types.js';
import { withSession } from '../../../src/postgres/session.js';
import { CopyFixture, identifierOf, mappingOf, mediaOf, plainMedia } from './fixture.js';

let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

const idsOf = async (table: string): Promise<Record<string, number>> => {
  const rows = await fixture.inApi<{ identifier: string; id: number }>(
    `select identifier, id from ${table} order by identifier`,
  );
  return Object.fromEntries(rows.map((row) => [row.identifier, row.id]));
};

describe('ids', () => {
  test('D13: two refreshes in a row keep every known id, new records take the next ones, the sequence does not run away', async () => {
    await fixture.addManyImages(3000);
    const first = await fixture.copyMain(mediaOf('image'));
    expect(first).toMatchObject({
      rowsRead: 3000,
      rowsCopied: 3000,
      idsKept: 0,
      idsNew: 3000,
      nextId: 3001n,
    });
    await fixture.promote('image', first.nextId);
    const before = await idsOf('image');
    // Another order on disk than the ids have, and some new and vanished records.
    await fixture.inCatalog(`update image set title = 'new' where random() < 0.5`);
    await fixture.inCatalog(`delete from image where foreign_identifier::int <= 100`);
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }, { identifier: identifierOf(2) }]);

    const second = await fixture.copyMain(mediaOf('image'));
    expect(second).toMatchObject({ rowsCopied: 2902, idsKept: 2900, idsNew: 2, nextId: 3003n });
    const after = await idsOf('temp_import_image');
    for (const [identifier, id] of Object.entries(after)) {
      if (before[identifier] === undefined) expect([3001, 3002]).toContain(id);
      else expect(id).toBe(before[identifier]);
    }
    await fixture.promote('image', second.nextId);
    const third = await fixture.copyMain(mediaOf('image'));
    expect(third).toMatchObject({ idsKept: 2902, idsNew: 0, nextId: 3003n });
  });

  test('D13: ids are kept where the catalog is vacuumed and its keys could be read from an index alone', async () => {
    await fixture.addManyImages(5000);
    await fixture.promote('image', (await fixture.copyMain(mediaOf('image'))).nextId);
    await fixture.inCatalog('vacuum analyze image');
    const before = await idsOf('image');
    await fixture.copyMain(mediaOf('image'));
    expect(await idsOf('temp_import_image')).toEqual(before);
  });

  test('a known record keeps its view_count, a new one gets the default', async () => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }, { identifier: identifierOf(2) }]);
    await fixture.promote('image', (await fixture.copyMain(mediaOf('image'))).nextId);
    await fixture.inApi(`update image set view_count = 7 where identifier = $1`, [identifierOf(1)]);
    await fixture.inApi(`update image set view_count = null where identifier = $1`, [identifierOf(2)]);
    await fixture.addRecords('image', [{ identifier: identifierOf(3) }]);
    await fixture.copyMain(mediaOf('image'));
    const rows = await fixture.inApi('select view_count from temp_import_image order by identifier');
    expect(rows.map((row) => row['view_count'])).toEqual([7, null, 0]);
  });

  test('a record whose identifier is in the deleted-media table is not copied and takes no id', async () => {
    await fixture.addRecords(
      'image',
      [1, 2, 3, 4].map((n) => ({ identifier: identifierOf(n) })),
    );
    await fixture.inApi('insert into api_deletedimage values (now(), now(), $1), (now(), now(), $2)', [
      identifierOf(1),
      identifierOf(4),
    ]);
    await fixture.inApi('insert into api_matureimage values (now(), $1)', [identifierOf(2)]);
    const result = await fixture.copyMain(mediaOf('image'), { runId: 'r' });
    expect(result).toMatchObject({ rowsRead: 4, rowsCopied: 2, leftOutDeleted: 2, idsNew: 2, nextId: 3n });
    expect(Object.keys(await idsOf('temp_import_image'))).toEqual([identifierOf(2), identifierOf(3)]);
    const applied = await fixture.inApi(
      `select relation, identifier from freshet.applied where run_id = 'r' order by 1, 2`,
    );
    expect(applied).toEqual([
      { relation: 'api_deletedimage', identifier: identifierOf(1) },
      { relation: 'api_deletedimage', identifier: identifierOf(4) },
      { relation: 'api_matureimage', identifier: identifierOf(2) },
    ]);
  });

  test('new ids start above everything that the sequence gave, also what is no longer there', async () => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    await fixture.inApi(`select setval('image_id_seq', 500)`);
    expect((await fixture.copyMain(mediaOf('image'))).nextId).toBe(502n);
  });

  test('ids that do not suffice for the new records are refused before anything is copied', async () => {
    await fixture.addManyImages(3);
    await fixture.inApi(`select setval('image_id_seq', 2147483645)`);
    await expect(fixture.copy(mediaOf('image'), { runId: 'r' })).rejects.toMatchObject({
      code: 'SEQUENCE_EXHAUSTED',
    });
    expect(await fixture.leftovers('r')).toEqual([]);
    await fixture.inCatalog(`delete from image where foreign_identifier = '3'`);
    expect((await fixture.copyMain(mediaOf('image'))).nextId).toBe(2147483648n);
  });

  test('a key of two texts with tabs, quotes, backslashes and newlines is found again', async () => {
    const keys = ['a\tb', "o'x", 'back\\slash', 'new\nline', '\\N', 'é', 'É', '', ' ', 'ß\u{1f600}'];
    for (const database of ['catalog', 'api'] as const) {
      const run = database === 'catalog' ? fixture.inCatalog.bind(fixture) : fixture.inApi.bind(fixture);
      const id = database === 'api' ? 'id bigserial primary key,' : '';
      await run(`create table thing (${id} a ${database === 'api' ? 'varchar(80)' : 'text'}, b text, n int)`);
    }
    for (const [i, key] of keys.entries()) {
      await fixture.inCatalog('insert into thing values ($1, $2, $3)', [key, `${key}2`, i]);
    }
    const media = plainMedia(mappingOf('thing', ['a', 'b']));
    const first = await fixture.copyMain(media);
    await fixture.promote('thing', first.nextId);
    const second = await fixture.copyMain(media);
    expect(second).toMatchObject({ idsKept: keys.length, idsNew: 0 });
    const rows = await fixture.inApi<{ id: string; a: string; n: number }>(
      'select t.id, t.a, t.n from temp_import_thing t join thing l using (id) where t.a = l.a and t.n = l.n order by n',
    );
    expect(rows.map((row) => row.a)).toEqual(keys);
  });

  test('a key of another type than the live column is compared as text', async () => {
    await fixture.inCatalog('create table thing (code text primary key, n int)');
    await fixture.inApi('create table thing (id serial primary key, code integer unique, n int)');
    await fixture.inCatalog(`insert into thing select i::text, i from generate_series(1, 50) i`);
    await fixture.inApi('insert into thing (id, code) select 1000 - i, i from generate_series(1, 40) i');
    const result = await fixture.copyMain(plainMedia(mappingOf('thing', ['code'])));
    expect(result).toMatchObject({ idsKept: 40, idsNew: 10 });
    const [row] = await fixture.inApi(
      'select count(*)::int as right from temp_import_thing where id = 1000 - code',
    );
    expect(row?.['right']).toBe(40);
  });

  test('the temp table is loaded frozen: a reader with an older snapshot sees its rows', async () => {
    await fixture.addManyImages(10);
    await withSession(fixture.api.url, { applicationName: 'reader', called: 'test' }, async (reader) => {
      await reader.query('begin isolation level repeatable read');
      await reader.query('select count(*) from public.image');
      await fixture.copyMain(mediaOf('image'));
      const { rows } = await reader.query('select count(*)::int as count from public.temp_import_image');
      expect(rows).toEqual([{ count: 10 }]);
    });
  });

  test('no lock on a table that the API uses is held while rows are copied', async () => {
    await fixture.addManyImages(5000);
    let locked: unknown[] | null = null;
    let asked: Promise<void> | null = null;
    const askForLocks = async (): Promise<void> => {
      locked = await fixture.inApi(
        `select distinct relation::regclass::text from pg_locks l join pg_stat_activity a using (pid)
         where application_name like 'freshet copy%' and relation in ('image'::regclass, 'api_deletedimage'::regclass, 'api_matureimage'::regclass)`,
      );
    };
    const transform = (row: TransformRow): TransformRow => {
      asked ??= askForLocks();
      return row;
    };
    await fixture.copyMain(mediaOf('image', { transform }));
    await (asked as Promise<void> | null);
    expect(locked).toEqual([]);
  });
});
