import { imageMappings, openverseAnalysis } from '../../../src/documents/openverseIndex.js';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';

/** The tables that a worker reads: a live one, a temp one, deleted and sensitive media. Only what a document needs. */
const tables = `
create table public.image (
  id integer primary key, identifier uuid not null, created_on timestamptz not null, provider varchar(80), source varchar(80),
  category varchar(80), title text, creator text, url text, license varchar(50) not null, meta_data jsonb, tags jsonb,
  standardized_popularity double precision, width int, height int, removed_from_source boolean not null default false);
create table public.temp_import_image (like public.image including all);
create table public.api_deletedimage (created_on timestamptz not null default now(), identifier uuid primary key);
create table public.api_matureimage (created_on timestamptz not null default now(), identifier uuid primary key);
`;

export async function createImageTables(url: string): Promise<Session> {
  const session = await openSession(url, { applicationName: 'test', called: 'test database' });
  await session.query(tables);
  return session;
}

/** The identifier of the row with this id. */
export function identifierOf(id: number): string {
  return `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;
}

/** Fills the temp table with plain rows: `count` ids from 1 on, `step` apart. */
export async function fillImages(session: Session, count: number, step = 1): Promise<void> {
  await session.query(
    `insert into public.temp_import_image
     select i, ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, '2024-03-28T00:00:00Z', 'flickr', 'flickr', 'photograph',
       'Title of image ' || i, 'Creator ' || i % 1000, 'https://example.org/photos/' || i || '.jpg', 'by',
       jsonb_build_object('description', repeat('A river in spring ', 1 + i % 20), 'views', i),
       jsonb_build_array(jsonb_build_object('name', 'river', 'accuracy', 0.95), jsonb_build_object('name', 'tag ' || i % 100)),
       (i % 100) / 100.0, 1024, 768
     from (select 1 + n * $2::int as i from generate_series(0, $1::int - 1) n) ids`,
    [count, step],
  );
  await session.query('analyze public.temp_import_image');
}

/** An index with the mapping of images. */
export async function createImageIndex(client: SearchClient, name: string): Promise<void> {
  await client.indices.create({
    index: name,
    body: {
      settings: {
        number_of_shards: 1,
        number_of_replicas: 0,
        refresh_interval: '-1',
        analysis: openverseAnalysis,
      },
      mappings: imageMappings,
    },
  });
}

export function openTestClient(url: string): SearchClient {
  return openSearchClient([url]);
}

/** Refreshes and counts. */
export async function countDocuments(client: SearchClient, index: string): Promise<number> {
  await client.indices.refresh({ index });
  const { body } = await client.count({ index });
  return body.count;
}

/** A document by id; undefined when there is none. */
export async function readDocument(
  client: SearchClient,
  index: string,
  id: number | string,
): Promise<Record<string, unknown> | undefined> {
  const { body } = await client.get({ index, id: String(id) }, { ignore: [404] });
  return body._source as Record<string, unknown> | undefined;
}
