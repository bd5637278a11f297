import { quoteQualified } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import { createMissing, type Relation } from './createMissing.js';
import type { SampleMedia } from './types.js';

const commonStart = `
  identifier uuid primary key default {uuid}(),
  created_on timestamptz not null,
  updated_on timestamptz not null,
  ingestion_type varchar(80),
  provider varchar(80),
  source varchar(80),
  foreign_identifier text,
  foreign_landing_url text,
  url text not null,
  thumbnail text`;

const commonMiddle = `
  license varchar(50) not null,
  license_version varchar(25),
  creator text,
  creator_url text,
  title text,
  meta_data jsonb,
  tags jsonb,
  watermarked boolean,
  last_synced_with_source timestamptz,
  removed_from_source boolean not null`;

/** Columns in the order of a catalog, which is also the order of its CSV files. */
const imageColumns = `${commonStart},
  width integer,
  height integer,
  filesize integer,${commonMiddle},
  filetype varchar(5),
  category varchar(80),
  standardized_popularity double precision`;

const audioColumns = `${commonStart},
  filetype varchar(5),
  duration integer,
  bit_rate integer,
  sample_rate integer,
  category varchar(80),
  genres varchar(80)[],
  audio_set jsonb,
  set_position integer,
  alt_files jsonb,
  filesize integer,${commonMiddle},
  standardized_popularity double precision,
  audio_set_foreign_identifier text`;

/** The newest audio of a set tells the set's properties. The identifier decides between audios of the same moment. */
const audioSetView = `
create view public.audioset_view as
select distinct on (audio_set_foreign_identifier, provider)
  audio_set_foreign_identifier as foreign_identifier,
  audio_set ->> 'title' as title,
  audio_set ->> 'foreign_landing_url' as foreign_landing_url,
  audio_set ->> 'creator' as creator,
  audio_set ->> 'creator_url' as creator_url,
  audio_set ->> 'url' as url,
  (audio_set ->> 'filesize')::integer as filesize,
  (audio_set ->> 'filetype')::varchar(80) as filetype,
  audio_set ->> 'thumbnail' as thumbnail,
  provider
from public.audio
where audio_set is not null
order by audio_set_foreign_identifier, provider, updated_on desc, identifier`;

/** The unique indexes of a media table. The primary key makes one on `identifier` as well; the catalog has both. */
export function uniqueIndexes(media: SampleMedia): Readonly<Record<string, string>> {
  return {
    [`${media}_provider_fid_idx`]: '(provider, md5(foreign_identifier))',
    [`${media}_identifier_key`]: '(identifier)',
    [`${media}_url_key`]: '(url)',
  };
}

/** `create unique index` statements for `uniqueIndexes`. */
export function createIndexStatements(media: SampleMedia): string[] {
  return Object.entries(uniqueIndexes(media)).map(
    ([name, keys]) => `create unique index ${name} on public.${media} using btree ${keys}`,
  );
}

function catalogRelations(uuidFunction: string): Relation[] {
  const table = (media: SampleMedia, columns: string): Relation => ({
    name: media,
    statements: [
      `create table public.${media} (${columns.replace('{uuid}', uuidFunction)})`,
      ...createIndexStatements(media),
    ],
  });
  return [
    table('image', imageColumns),
    table('audio', audioColumns),
    { name: 'audioset_view', statements: [audioSetView] },
  ];
}

/**
 * Creates the catalog's `image`, `audio` and `audioset_view` in the schema `public` where they are missing; leaves what is there. Needs the
 * right to create the extension uuid-ossp where it is missing.
 */
export async function createCatalogTables(session: Session): Promise<void> {
  await createMissing(session, catalogRelations(await ensureUuidFunction(session)));
}

async function ensureUuidFunction(session: Session): Promise<string> {
  await session.query('create extension if not exists "uuid-ossp" with schema public');
  const { rows } = await session.query<{ schema: string }>(
    `select n.nspname as schema from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'uuid-ossp'`,
  );
  return quoteQualified({ schema: rows[0]?.schema ?? 'public', name: 'uuid_generate_v4' });
}
