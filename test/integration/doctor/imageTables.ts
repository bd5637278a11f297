/** The image tables of the guide's section "Tables", in short: what the doctor looks at. */
const columns = `provider varchar(80), source varchar(80), foreign_identifier text, foreign_landing_url text, url text, thumbnail text,
  width int, height int, filesize int, license varchar(50) not null, license_version varchar(25), creator text, creator_url text,
  title text, meta_data jsonb, tags jsonb, watermarked bool, last_synced_with_source timestamptz, removed_from_source bool not null,
  filetype varchar(80), category varchar(80), created_on timestamptz not null, updated_on timestamptz not null`;

export const catalogTables = `
create table public.image (identifier uuid primary key, ingestion_type varchar(80), ${columns}, standardized_popularity double precision);
`;

export const apiTables = `
create sequence public.image_id_seq as integer;
create table public.image (id integer primary key default nextval('public.image_id_seq'), identifier uuid not null unique, ${columns},
  view_count int default 0);
alter sequence public.image_id_seq owned by public.image.id;
create table public.api_deletedimage (created_on timestamptz not null, updated_on timestamptz not null, identifier uuid primary key);
create table public.api_matureimage (created_on timestamptz not null, identifier uuid primary key);
`;
