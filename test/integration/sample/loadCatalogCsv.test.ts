import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { createCatalogTables, fillCatalog, loadCatalogCsv } from '../../../src/sample/index.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';

let database: TestDatabase;
let session: Session;
let folder: string;

beforeAll(async () => {
  database = await createDatabase(inject('parts').catalogUrl);
  session = await openSession(database.url, { applicationName: 'test', called: 'catalog' });
  folder = await mkdtemp(join(tmpdir(), 'freshet-csv-'));
  await createCatalogTables(session);
});
afterAll(async () => {
  await session.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

const header =
  'identifier,created_on,updated_on,ingestion_type,provider,source,foreign_identifier,foreign_landing_url,url,thumbnail,width,height,filesize,license,license_version,creator,creator_url,title,meta_data,tags,watermarked,last_synced_with_source,removed_from_source,filetype,category,standardized_popularity';

function line(
  at: number,
  change: { width?: string; url?: string; title?: string; tags?: string } = {},
): string {
  const { width = '640', url = `https://a.example.org/${at}.jpg`, title = 'A', tags = '' } = change;
  return `00000000-0000-4000-a000-00000000000${at},2024-03-28T00:00:00Z,2024-03-28T00:00:00Z,,flickr,flickr,${at},,${url},,${width},,,by,2.0,,,${title},,${tags},f,,f,,,`;
}

async function load(content: string) {
  const file = join(folder, 'image.csv');
  await writeFile(file, content);
  return loadCatalogCsv({ catalogUrl: database.url, media: 'image', file });
}

async function urls(): Promise<string[]> {
  const { rows } = await session.query<{ url: string }>('select url from public.image order by 1');
  return rows.map((row) => row.url);
}

test('a file in catalog column order is loaded; an empty field is null, an empty quoted one is empty', async () => {
  const quoted = line(2, { title: '""', tags: `"[{""name"": ""a, b""}]"` });
  const loaded = await load(`\ufeff${header}\n${line(1, { width: '' })}\n${quoted}\n`);
  expect(loaded).toEqual({
    media: 'image',
    rows: 2,
    origin: expect.stringMatching(/^sha256 [0-9a-f]{64}$/) as string,
  });
  const { rows } = await session.query('select width, title, tags from public.image order by url');
  expect(rows).toEqual([
    { width: null, title: 'A', tags: null },
    { width: 640, title: '', tags: [{ name: 'a, b' }] },
  ]);
});

test.each<[string, string, string]>([
  [
    'a value of the wrong type',
    `${header}\n${line(3)}\n${line(4, { width: 'wide' })}\n`,
    'line 3, column width: ',
  ],
  ['malformed JSON', `${header}\n${line(3, { tags: '[' })}\n`, 'line 2, column tags: '],
  ['a line with too few fields', `${header}\nonly,two\n`, 'line 2'],
  ['a quote that is never closed', `${header}\n${line(3)}\n"never`, 'unterminated'],
  [
    'a duplicate url',
    `${header}\n${line(3)}\n${line(4, { url: 'https://a.example.org/3.jpg' })}\n`,
    'line 3',
  ],
  [
    'a missing column',
    `${header.replace('width,', '')}\n`,
    'line 1, column 11: the header has "height" where',
  ],
  ['columns in another order', `${header.replace('width,height', 'height,width')}\n`, 'line 1, column 11'],
  ['a column too many', `${header},extra\n`, 'line 1, column 27: the header has "extra"'],
  ['no header', '', 'line 1, column 1: the header ends'],
])('%s is an error that names the place, and nothing is loaded', async (_, content, place) => {
  const before = await urls();
  await expect(load(content)).rejects.toMatchObject({
    code: 'CSV_INVALID',
    message: expect.stringContaining(place) as string,
  });
  expect(await urls()).toEqual(before);
});

test('a file that is not there is an error that names it', async () => {
  const file = join(folder, 'missing.csv');
  await expect(loadCatalogCsv({ catalogUrl: database.url, media: 'image', file })).rejects.toMatchObject({
    code: 'CSV_INVALID',
    message: expect.stringContaining(file) as string,
  });
});

test('a file that the catalog itself wrote comes back as it was, awkward records included', async () => {
  await fillCatalog({ catalogUrl: database.url, media: 'image', records: 300, seed: 3 });
  const digest = async () => {
    const { rows } = await session.query<{ digest: string }>(
      `select md5(string_agg(t::text, E'\n' order by identifier)) as digest from public.image t`,
    );
    return rows[0]?.digest;
  };
  const before = await digest();
  const { to } = await import('pg-copy-streams');
  const chunks: Buffer[] = [];
  const out = session.query(to('copy public.image to stdout with (format csv, header true)'));
  for await (const chunk of out as AsyncIterable<Buffer>) chunks.push(chunk);
  expect(await load(Buffer.concat(chunks).toString())).toMatchObject({ rows: 300 });
  expect(await digest()).toBe(before);
});

const realRecords = fileURLToPath(new URL('../../../../shared/data/catalog_image.csv', import.meta.url));

test.runIf(existsSync(realRecords))('532 real image records are loaded', async () => {
  const loaded = await loadCatalogCsv({ catalogUrl: database.url, media: 'image', file: realRecords });
  expect(loaded.rows).toBe(532);
  const { rows } = await session.query('select from public.image where tags is not null');
  expect(rows.length).toBeGreaterThan(0);
});
