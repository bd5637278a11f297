import type { Session } from '../postgres/session.js';
import { createMissing, type Relation } from './createMissing.js';

const imageTable = `
create table public.image (
  id serial constraint image_pkey primary key,
  created_on timestamptz not null,
  updated_on timestamptz not null,
  identifier uuid not null constraint image_identifier_key unique,
  provider varchar(80),
  source varchar(80),
  foreign_identifier text,
  foreign_landing_url text,
  url text constraint image_url_key unique,
  thumbnail text,
  width integer,
  height integer,
  filesize integer,
  license varchar(50) not null,
  license_version varchar(25),
  creator text,
  creator_url text,
  title text,
  last_synced_with_source timestamptz,
  removed_from_source boolean not null,
  meta_data jsonb,
  view_count integer default 0,
  tags jsonb,
  watermarked boolean,
  filetype varchar(80),
  category varchar(80),
  constraint unique_provider_image unique (foreign_identifier, provider)
)`;

const audioTable = `
create table public.audio (
  id serial constraint audio_pkey primary key,
  created_on timestamptz not null,
  updated_on timestamptz not null,
  identifier uuid not null constraint audio_identifier_key unique,
  foreign_identifier text,
  title text,
  foreign_landing_url text,
  creator text,
  creator_url text,
  url text constraint audio_url_key unique,
  filesize integer,
  watermarked boolean,
  license varchar(50) not null,
  license_version varchar(25),
  provider varchar(80),
  source varchar(80),
  last_synced_with_source timestamptz,
  removed_from_source boolean not null,
  view_count integer,
  tags jsonb,
  meta_data jsonb,
  audio_set_position integer,
  genres varchar(80)[],
  category varchar(80),
  duration integer,
  bit_rate integer,
  sample_rate integer,
  alt_files jsonb,
  thumbnail text,
  filetype varchar(80),
  audio_set_foreign_identifier text,
  constraint unique_provider_audio unique (foreign_identifier, provider)
)`;

/** Its index, sequence and constraint names do not follow from the table's name, as in Openverse's database. */
const audioSetStatements = [
  'create sequence public.api_audioset_id_seq as integer',
  `
create table public.audioset (
  id integer not null default nextval('public.api_audioset_id_seq') constraint api_audioset_pkey primary key,
  created_on timestamptz not null,
  updated_on timestamptz not null,
  foreign_identifier text,
  title text,
  foreign_landing_url text,
  creator text,
  creator_url text,
  url text constraint api_audioset_url_key unique,
  filesize integer,
  filetype varchar(80),
  thumbnail text,
  provider varchar(80),
  constraint unique_foreign_identifier_provider unique (foreign_identifier, provider)
)`,
  'alter sequence public.api_audioset_id_seq owned by public.audioset.id',
  ...indexPair('audioset', 'api_audioset_foreign_identifier_28c1db59', 'foreign_identifier', 'text'),
  likeIndex('audioset', 'api_audioset_url_200f9fb4', 'url', 'text'),
  ...indexPair('audioset', 'audioset_provider_cc061f30', 'provider', 'varchar'),
];

type TextType = 'text' | 'varchar';

function likeIndex(table: string, name: string, column: string, type: TextType): string {
  return `create index ${name}_like on public.${table} using btree (${column} ${type}_pattern_ops)`;
}

/** The plain index and the one for `like 'x%'` that Django makes for a text column. */
function indexPair(table: string, name: string, column: string, type: TextType): string[] {
  return [
    `create index ${name} on public.${table} using btree (${column})`,
    likeIndex(table, name, column, type),
  ];
}

const imageIndexes = [
  ...indexPair('image', 'image_category_daa5d91c', 'category', 'varchar'),
  ...indexPair('image', 'image_foreign_identifier_4c72d3ee', 'foreign_identifier', 'text'),
  ...indexPair('image', 'image_provider_7d11f847', 'provider', 'varchar'),
  ...indexPair('image', 'image_source_d5a89e97', 'source', 'varchar'),
  likeIndex('image', 'image_url_c6aabda2', 'url', 'text'),
  'create index image_last_synced_with_source_187adf09 on public.image using btree (last_synced_with_source)',
];

const audioIndexes = [
  ...indexPair('audio', 'audio_category_ceb7d386', 'category', 'varchar'),
  ...indexPair('audio', 'audio_foreign_identifier_617f66ad', 'foreign_identifier', 'text'),
  ...indexPair('audio', 'audio_provider_8fe1eb54', 'provider', 'varchar'),
  ...indexPair('audio', 'audio_source_e9ccc813', 'source', 'varchar'),
  likeIndex('audio', 'audio_url_b6a832d3', 'url', 'text'),
  'create index audio_genres_e34cc474 on public.audio using btree (genres)',
  'create index audio_last_synced_with_source_94c4a383 on public.audio using btree (last_synced_with_source)',
];

/** Tables around a media table: deleted and sensitive records (no foreign keys), lists of records (real foreign keys). */
function relatedRelations(media: 'image' | 'audio'): Relation[] {
  const [list, entries] = [`${media}list`, `${media}list_${media}s`];
  const table = (name: string, columns: string): Relation => ({
    name,
    statements: [`create table public.${name} (${columns})`],
  });
  const reference = (target: string) =>
    `integer not null references public.${target} (id) deferrable initially deferred`;
  return [
    table(
      `api_deleted${media}`,
      'created_on timestamptz not null, updated_on timestamptz not null, identifier uuid primary key',
    ),
    table(`api_mature${media}`, 'created_on timestamptz not null, identifier uuid primary key'),
    table(
      list,
      `id serial primary key, created_on timestamptz not null, updated_on timestamptz not null,
       title varchar(2000) not null, slug varchar(200) not null unique, auth varchar(64) not null`,
    ),
    table(entries, `id serial primary key, ${list}_id ${reference(list)}, ${media}_id ${reference(media)}`),
  ];
}

const apiRelations: readonly Relation[] = [
  { name: 'image', statements: [imageTable, ...imageIndexes] },
  { name: 'audio', statements: [audioTable, ...audioIndexes] },
  { name: 'audioset', statements: audioSetStatements },
  ...relatedRelations('image'),
  ...relatedRelations('audio'),
  {
    name: 'api_audioaddon',
    statements: [
      'create table public.api_audioaddon (audio_identifier uuid primary key, waveform_peaks double precision[])',
    ],
  },
];

/**
 * Creates the API's tables in the schema `public` where they are missing; leaves what is there. The media tables lack
 * `standardized_popularity`, as on a fresh API database: a refresh adds it.
 */
export async function createApiTables(session: Session): Promise<void> {
  await createMissing(session, apiRelations);
}
