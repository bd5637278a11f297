import { inject } from 'vitest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withSession } from '../../../src/postgres/session.js';
import { uniqueName } from '../../setup/databases.js';
import { CopyFixture, identifierOf, mappingOf, mediaOf, plainMedia } from './fixture.js';

let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

const ours = async (): Promise<unknown> =>
  fixture.inApi(
    `select to_regnamespace('freshet') is not null as ours, to_regclass('temp_import_image') is not null as temp`,
  );
const untouched = [{ ours: false, temp: false }];

describe('refusals before any effect', () => {
  test('an empty catalog is refused, unless that is allowed', async () => {
    await expect(fixture.copy(mediaOf('image'))).rejects.toMatchObject({ code: 'EMPTY_CATALOG' });
    expect(await ours()).toEqual(untouched);
    const result = await fixture.copyMain(mediaOf('image'), { allowEmpty: true });
    expect(result).toMatchObject({ rowsCopied: 0, nextId: 1n });
    expect(await fixture.inApi('select count(*)::int from temp_import_image')).toEqual([{ count: 0 }]);
  });

  test('the same database as catalog and API database is refused, however it is addressed', async () => {
    const other = new URL(fixture.api.url);
    other.hostname = other.hostname === '127.0.0.1' ? 'localhost' : '127.0.0.1';
    await expect(fixture.copy(mediaOf('image'), { catalogUrl: other.href })).rejects.toMatchObject({
      code: 'SAME_DATABASE',
    });
    expect(await ours()).toEqual(untouched);
  });

  test.each([
    ['catalog', { upstream: 'imag' }, 'imag'],
    ['catalog', { upstream: 'other.image' }, 'other.image'],
    ['API database', { downstream: 'imagee' }, 'imagee'],
    ['API database', { deletedMediaTable: 'api_gone' }, 'api_gone'],
  ])('a table that the %s lacks is named', async (database, changes, table) => {
    await fixture.addManyImages(1);
    await expect(fixture.copy(mediaOf('image', changes))).rejects.toMatchObject({
      code: 'TABLE_MISSING',
      details: { database, table },
    });
    expect(await ours()).toEqual(untouched);
  });

  test('D19: keys that are not unique upstream are named before anything is copied', async () => {
    await fixture.inCatalog('create table thing (a text, b text)');
    await fixture.inApi('create table thing (id serial primary key, a text, b text, unique (a, b))');
    await fixture.inCatalog(
      `insert into thing values ('x', 'y'), ('x', 'y'), ('x', 'z'), ('p', 'q'), ('p', 'q')`,
    );
    const failure = await fixture
      .copy(plainMedia(mappingOf('thing', ['a', 'b'])))
      .catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'DUPLICATE_KEYS',
      details: { table: 'thing', database: 'catalog', keys: ['p, q', 'x, y'] },
    });
    expect(await ours()).toEqual(untouched);
  });

  test('keys that are not unique in the live table are named: a record would get two rows', async () => {
    await fixture.inCatalog(`create table thing (k text primary key)`);
    await fixture.inApi('create table thing (id serial primary key, k text)');
    await fixture.inCatalog(`insert into thing values ('x'), ('y')`);
    await fixture.inApi(`insert into thing (k) values ('x'), ('x'), (null), (null)`);
    await expect(fixture.copy(plainMedia(mappingOf('thing', ['k'])))).rejects.toMatchObject({
      code: 'DUPLICATE_KEYS',
      details: { database: 'API database', keys: ['x'] },
    });
  });

  test('rows without a key are named', async () => {
    await fixture.inCatalog('create table thing (a text, b text, unique (a, b))');
    await fixture.inApi('create table thing (id serial primary key, a text, b text)');
    await fixture.inCatalog(`insert into thing values ('x', null), ('y', 'z')`);
    const failure = await fixture
      .copy(plainMedia(mappingOf('thing', ['a', 'b'])))
      .catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ code: 'NULL_KEYS', details: { keys: ['x, null'] } });
    expect(await ours()).toEqual(untouched);
  });

  test('what a role may not read is said, with the database', async () => {
    await fixture.addManyImages(1);
    const role = uniqueName('reader');
    await fixture.inCatalog(`create role ${role} login password 'x'`);
    const url = new URL(fixture.catalog.url);
    url.username = role;
    url.password = 'x';
    const failure = await fixture
      .copy(mediaOf('image'), { catalogUrl: url.href })
      .catch((error: unknown) => error as Error);
    await fixture.inCatalog(`drop role ${role}`);
    expect(failure).toMatchObject({ code: 'STATEMENT_REFUSED', details: { database: 'catalog' } });
    expect((failure as Error).message).toContain('permission denied');
  });

  test('D18: passwords with quotes, backslashes, percent and at signs work, and no error tells them', async () => {
    await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
    const password = `p'w"d\\x@h%41 $1;--`;
    const role = uniqueName('reader');
    await withSession(fixture.catalog.url, { applicationName: 't', called: 't' }, async (session) => {
      await session.query(`create role ${role} login password ${session.escapeLiteral(password)}`);
      await session.query(`grant select on all tables in schema public to ${role}`);
    });
    const url = new URL(fixture.catalog.url);
    url.username = role;
    url.password = encodeURIComponent(password).replaceAll("'", '%27');
    expect((await fixture.copyMain(mediaOf('image'), { catalogUrl: url.href })).rowsCopied).toBe(1);
    url.pathname = '/no_such_database';
    const failures = [url.href, `postgres://u:${password}@:no port/`].map((catalogUrl) =>
      fixture.copy(mediaOf('image'), { catalogUrl, runId: 'r2' }).catch((error: unknown) => error),
    );
    for (const failure of await Promise.all(failures)) {
      const told =
        JSON.stringify(failure, Object.getOwnPropertyNames(failure)) + String((failure as Error).stack);
      expect(told).not.toContain(password);
      expect(told).not.toContain(encodeURIComponent(password));
    }
    await fixture.inCatalog(`drop owned by ${role}; drop role ${role}`);
    const servers = await fixture.inApi(`select srvname from pg_foreign_server`);
    expect(servers).toEqual([]);
    expect(inject('parts').catalogUrl).toBeDefined();
  });
});
