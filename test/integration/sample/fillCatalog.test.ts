import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { createCatalogTables, fillCatalog, sampleMedia } from '../../../src/sample/index.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';

let database: TestDatabase;
let session: Session;
const seed = 42;

beforeAll(async () => {
  database = await createDatabase(inject('parts').catalogUrl);
  session = await openSession(database.url, { applicationName: 'test', called: 'catalog' });
  for (const media of sampleMedia) {
    await fillCatalog({ catalogUrl: database.url, media, records: 500, seed });
  }
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

async function count(table: string, condition: string): Promise<number> {
  const { rows } = await session.query<{ count: number }>(
    `select count(*)::integer as count from public.${table} where ${condition}`,
  );
  return rows[0]?.count ?? 0;
}

async function digest(url: string, table: string): Promise<string> {
  const own = await openSession(url, { applicationName: 'test', called: 'catalog' });
  const { rows } = await own.query<{ digest: string }>(
    `select md5(string_agg(t::text, E'\n' order by identifier)) as digest from public.${table} t`,
  );
  await own.end();
  return rows[0]?.digest ?? '';
}

/** Conditions on records, each of which at least one record of a sample of 500 meets. */
const awkward: Record<string, string> = {
  'no tags': `tags is null`,
  'the JSON null as tags': `tags = 'null'`,
  'an empty list of tags': `tags = '[]'`,
  'an object instead of a list of tags': `jsonb_typeof(tags) = 'object'`,
  'a text instead of a list of tags': `jsonb_typeof(tags) = 'string'`,
  'texts among the tags': `tags @? 'strict $[*] ? (@.type() == "string")'`,
  'a tag without name': `exists (select from jsonb_array_elements(case jsonb_typeof(tags) when 'array' then tags end) t where jsonb_typeof(t) = 'object' and not t ? 'name')`,
  'a tag whose name is no text': `tags @? '$[*].name ? (@.type() == "number")'`,
  'accuracy 0.90 with its two digits': `tags::text like '%"accuracy": 0.90}%'`,
  'accuracy 0.8999': `tags @? '$[*].accuracy ? (@ == 0.8999)'`,
  'accuracy as a text': `tags @? '$[*].accuracy ? (@ == "0.95")'`,
  'accuracy null': `tags @? '$[*].accuracy ? (@ == null)'`,
  'a number of 20 digits in a tag': `tags::text like '%12345678901234567890%'`,
  'a denied name with a space before it': `tags @> '[{"name": " cc0"}]'`,
  'a kept name with a space before it': `tags @> '[{"name": " by"}]'`,
  'a denied name in upper case': `tags @> '[{"name": "BY"}]'`,
  'all tags denied': `tags = '[{"name": "cc0"}]'`,
  'a tag of rekognition': `tags @> '[{"provider": "rekognition"}]'`,
  'four hundred tags': `jsonb_array_length(case jsonb_typeof(tags) when 'array' then tags end) >= 400`,
  'no meta_data': `meta_data is null`,
  'the JSON null as meta_data': `meta_data = 'null'`,
  'a list as meta_data': `meta_data = '[]'`,
  'a text as meta_data': `jsonb_typeof(meta_data) = 'string'`,
  'a description that is no text': `jsonb_typeof(meta_data->'description') = 'number'`,
  'a description above 2,000 code points, with an emoji as the 2,000th': `substr(meta_data->>'description', 2000, 1) = '🦉' and length(meta_data->>'description') = 2500`,
  'authority_boost as number': `meta_data->'authority_boost' = '42'`,
  'authority_boost as text': `meta_data->'authority_boost' = '"17.5"'`,
  'authority_boost true': `meta_data->'authority_boost' = 'true'`,
  'authority_boost inf': `meta_data->'authority_boost' = '"inf"'`,
  'authority_boost below 0': `meta_data->'authority_boost' = '-5'`,
  'mature as text': `meta_data->'mature' = '"true"'`,
  'popularity null': `standardized_popularity is null`,
  'popularity 0': `standardized_popularity = 0`,
  'popularity below 0': `standardized_popularity < 0`,
  'popularity above 1': `standardized_popularity > 1 and standardized_popularity < 2`,
  'popularity NaN': `standardized_popularity = 'NaN'`,
  'a url with a query': `url like '%.jpg?w=%'`,
  'a url with a fragment': `url like '%.png#%'`,
  'a url that is a bare host': `url = 'https://bare.example.org'`,
  'a url without extension': `url ~ '/photo$'`,
  'an upper-case license': `license = 'CC0'`,
  'removed from source': `removed_from_source`,
  'created at infinity': `created_on = 'infinity'`,
  'created before Christ': `created_on < '0001-01-01' and created_on <> '-infinity'`,
  'a title from right to left': `title ~ '[א-ת]'`,
  'a title with tab and newline': `title like E'%\t%\n%'`,
  'a title with quotes': `title like '%''%"%'`,
  'a title that is the sign for null': `title = '\\N'`,
  'a title with an escape of the character zero': `title like '%\\\\u0000%'`,
  'no provider, no source': `provider is null and source is null`,
  'no foreign identifier': `foreign_identifier is null`,
};

const awkwardOf: Record<'image' | 'audio', Record<string, string>> = {
  image: {
    'no width and height': `width is null and height is null`,
    'width 0': `width = 0 and height > 0`,
    'exactly the pixels of medium': `width::bigint * height = 307200`,
    'exactly the pixels of large': `width = 1600 and height = 900`,
  },
  audio: {
    'no duration': `duration is null`,
    ...Object.fromEntries(
      [0, 29_999, 30_000, 119_999, 120_000, 599_999, 600_000].map((ms) => [
        `duration ${ms}`,
        `duration = ${ms}`,
      ]),
    ),
    'alternative files': `jsonb_typeof(alt_files) = 'array' and jsonb_array_length(alt_files) = 2`,
    'alternative files that are an object': `jsonb_typeof(alt_files) = 'object'`,
    'no set': `audio_set is null`,
    'genres with a quote': `exists (select from unnest(genres) g where g like '%"%')`,
    'genres with null': `array_position(genres, null) is not null`,
  },
};

describe.each(sampleMedia)('a sample of 500 %s records', (media) => {
  test.each(Object.entries({ ...awkward, ...awkwardOf[media] }))('has %s', async (_, condition) => {
    expect(await count(media, condition)).toBeGreaterThan(0);
  });

  test('has the number of records that was asked for, of at least ten sources', async () => {
    expect(await count(media, 'true')).toBe(500);
    const { rows } = await session.query(`select distinct source from public.${media}`);
    expect(rows.length).toBeGreaterThanOrEqual(media === 'image' ? 10 : 5);
  });

  test('is the same on another server, and begins a larger sample of the same seed', async () => {
    const other = await createDatabase(inject('parts').apiUrl);
    await fillCatalog({ catalogUrl: other.url, media, records: 500, seed });
    expect(await digest(other.url, media)).toBe(await digest(database.url, media));
    await fillCatalog({ catalogUrl: other.url, media, records: 600, seed });
    const own = await openSession(other.url, { applicationName: 'test', called: 'catalog' });
    const { rows } = await session.query<{ list: string[] }>(
      `select array_agg(identifier::text) as list from public.${media}`,
    );
    const found = await own.query<{ count: number }>(
      `select count(*)::integer as count from public.${media} where identifier = any($1::uuid[])`,
      [rows[0]?.list],
    );
    expect(found.rows[0]?.count).toBe(500);
    await own.end();
    await other.drop();
  });
});

test('the newest audio of a set tells its title', async () => {
  const { rows } = await session.query(
    `select provider, title, filesize from public.audioset_view where foreign_identifier = 'awkward' order by provider`,
  );
  expect(rows).toEqual([
    { provider: 'ccmixter', title: 'Another set', filesize: 4096 },
    { provider: 'jamendo', title: 'Newest "title" 🎵', filesize: null },
  ]);
});

test('a small sample has awkward records of several kinds, and an empty one none', async () => {
  const catalogUrl = database.url;
  await fillCatalog({ catalogUrl, media: 'image', records: 12, seed });
  expect(await count('image', `tags is null or meta_data is null or url like '%?%'`)).toBeGreaterThan(2);
  await fillCatalog({ catalogUrl, media: 'image', records: 0, seed });
  expect(await count('image', 'true')).toBe(0);
  await fillCatalog({ catalogUrl, media: 'image', records: 500, seed });
});

test('progress ends at the number of records', async () => {
  const seen: { rows: number; expected: number }[] = [];
  const onProgress = (progress: { rows: number; expected: number }) => seen.push(progress);
  await fillCatalog({ catalogUrl: database.url, media: 'image', records: 500, seed, onProgress });
  expect(seen.at(-1)).toEqual({ rows: 500, expected: 500 });
});

test('the indexes are there again after a load', async () => {
  const { rows } = await session.query(
    `select from pg_index where indrelid = 'public.image'::regclass and indisunique and indisvalid`,
  );
  expect(rows).toHaveLength(4);
});

test('a catalog with records of its own is refused, and nothing is changed', async () => {
  const real = await createDatabase(inject('parts').catalogUrl);
  const own = await openSession(real.url, { applicationName: 'test', called: 'catalog' });
  await createCatalogTables(own);
  const insert = (at: number) =>
    own.query(
      `insert into public.image (created_on, updated_on, url, license, removed_from_source) values (now(), now(), $1, 'by', false)`,
      [`https://real.example.org/${at}.jpg`],
    );
  const fill = () => fillCatalog({ catalogUrl: real.url, media: 'audio', records: 5, seed });
  const refusal = { code: 'SAMPLE_REFUSED', policy: 'refuse' };
  await insert(1);
  await expect(fill()).rejects.toMatchObject(refusal);
  await own.query('delete from public.image');
  await fill();
  await insert(2);
  await expect(fill()).rejects.toMatchObject(refusal);
  const { rows } = await own.query<{ url: string }>('select url from public.image');
  expect(rows).toEqual([{ url: 'https://real.example.org/2.jpg' }]);
  await own.end();
  await real.drop();
});
