import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { createApiTables, createCatalogTables } from '../../../src/sample/index.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createDatabase(inject('parts').apiUrl);
  session = await openSession(database.url, { applicationName: 'test', called: 'API database' });
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

async function names(statement: string, values: unknown[] = []): Promise<string[]> {
  return (await session.query<{ name: string }>(statement, values)).rows.map((row) => row.name);
}

const indexesOf = (table: string) =>
  names(
    `select c.relname::text as name from pg_index i join pg_class c on c.oid = i.indexrelid
     where i.indrelid = $1::regclass order by 1`,
    [`public.${table}`],
  );

test("the API's tables have the names, keys and indexes of Openverse's database", async () => {
  await createApiTables(session);
  expect(await indexesOf('image')).toEqual(
    [
      'image_pkey',
      'image_identifier_key',
      'image_url_key',
      'unique_provider_image',
      'image_category_daa5d91c',
      'image_category_daa5d91c_like',
      'image_foreign_identifier_4c72d3ee',
      'image_foreign_identifier_4c72d3ee_like',
      'image_provider_7d11f847',
      'image_provider_7d11f847_like',
      'image_source_d5a89e97',
      'image_source_d5a89e97_like',
      'image_url_c6aabda2_like',
      'image_last_synced_with_source_187adf09',
    ].sort(),
  );
  expect(await indexesOf('audio')).toHaveLength(4 + 8 + 1 + 1 + 1);
  expect(await indexesOf('audioset')).toEqual(
    [
      'api_audioset_pkey',
      'api_audioset_url_key',
      'unique_foreign_identifier_provider',
      'api_audioset_foreign_identifier_28c1db59',
      'api_audioset_foreign_identifier_28c1db59_like',
      'api_audioset_url_200f9fb4_like',
      'audioset_provider_cc061f30',
      'audioset_provider_cc061f30_like',
    ].sort(),
  );
  expect(
    await names(`select pg_get_serial_sequence(t, 'id') as name from unnest($1::text[]) as t`, [
      ['public.image', 'public.audio', 'public.audioset'],
    ]),
  ).toEqual(['public.image_id_seq', 'public.audio_id_seq', 'public.api_audioset_id_seq']);
  expect(
    await names(
      `select conrelid::regclass || ' ' || pg_get_constraintdef(oid) as name from pg_constraint where contype = 'f' order by 1`,
    ),
  ).toEqual([
    'public.audiolist_audios FOREIGN KEY (audio_id) REFERENCES public.audio(id) DEFERRABLE INITIALLY DEFERRED',
    'public.audiolist_audios FOREIGN KEY (audiolist_id) REFERENCES public.audiolist(id) DEFERRABLE INITIALLY DEFERRED',
    'public.imagelist_images FOREIGN KEY (image_id) REFERENCES public.image(id) DEFERRABLE INITIALLY DEFERRED',
    'public.imagelist_images FOREIGN KEY (imagelist_id) REFERENCES public.imagelist(id) DEFERRABLE INITIALLY DEFERRED',
  ]);
});

test('tables that exist are left as they are', async () => {
  await session.query('alter table public.image add column extra integer');
  await session.query('drop table public.api_deletedimage');
  await createApiTables(session);
  expect(
    await names(
      `select attname::text as name from pg_attribute where attrelid = 'public.image'::regclass and attname = 'extra'`,
    ),
  ).toEqual(['extra']);
  expect(await names(`select to_regclass('public.api_deletedimage')::text as name`)).toEqual([
    'public.api_deletedimage',
  ]);
});

test("the catalog's tables have unique indexes, no unique constraints, and identifiers by default", async () => {
  const catalog = await createDatabase(inject('parts').catalogUrl);
  const own = await openSession(catalog.url, { applicationName: 'test', called: 'catalog' });
  await createCatalogTables(own);
  await createCatalogTables(own);
  const { rows } = await own.query<{ definition: string }>(
    `select pg_get_indexdef(indexrelid) as definition from pg_index where indrelid = 'public.image'::regclass order by 1`,
  );
  expect(rows.map((row) => row.definition)).toEqual([
    'CREATE UNIQUE INDEX image_identifier_key ON public.image USING btree (identifier)',
    'CREATE UNIQUE INDEX image_pkey ON public.image USING btree (identifier)',
    'CREATE UNIQUE INDEX image_provider_fid_idx ON public.image USING btree (provider, md5(foreign_identifier))',
    'CREATE UNIQUE INDEX image_url_key ON public.image USING btree (url)',
  ]);
  const inserted = await own.query<{ identifier: string }>(
    `insert into public.audio (created_on, updated_on, url, license, removed_from_source)
     values (now(), now(), 'https://a.example.org/1.mp3', 'by', false) returning identifier`,
  );
  expect(inserted.rows[0]?.identifier).toHaveLength(36);
  await own.end();
  await catalog.drop();
});
