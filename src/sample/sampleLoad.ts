import { FreshetError } from '../errors.js';
import type { Session } from '../postgres/session.js';
import { sampleMedia, type LoadedSample, type SampleMedia } from './types.js';

/** Remembers in the catalog which records are ours, so that real ones are never truncated. */
const recordTable = 'public.freshet_sample_load';

/**
 * Refuses a catalog whose `image` or `audio` has records that were not loaded as a sample: their number must be the one that the last load
 * recorded. Throws SAMPLE_REFUSED; changes nothing.
 */
export async function assertOnlySampleRecords(session: Session): Promise<void> {
  for (const media of sampleMedia) {
    if (!(await relationExists(session, `public.${media}`))) continue;
    const [found, loaded] = [await countRows(session, media), await readLoadedRows(session, media)];
    if (found === 0 || found === loaded) continue;
    throw new FreshetError(
      'SAMPLE_REFUSED',
      `The catalog's ${media} table has ${found} records; freshet put ${loaded ?? 'none'} of them there. Sample data would replace real records.`,
      { media, found, loaded },
    );
  }
}

/** Notes a load, in its own transaction. */
export async function recordLoad(session: Session, sample: LoadedSample): Promise<void> {
  await session.query(
    `create table if not exists ${recordTable} (
       media text primary key, rows bigint not null, origin text not null, loaded_at timestamptz not null default now())`,
  );
  await session.query(
    `insert into ${recordTable} (media, rows, origin) values ($1, $2, $3)
     on conflict (media) do update set rows = excluded.rows, origin = excluded.origin, loaded_at = now()`,
    [sample.media, sample.rows, sample.origin],
  );
}

async function relationExists(session: Session, name: string): Promise<boolean> {
  const { rows } = await session.query<{ oid: string | null }>('select to_regclass($1)::text as oid', [name]);
  return rows[0]?.oid != null;
}

async function countRows(session: Session, media: SampleMedia): Promise<number> {
  const { rows } = await session.query<{ count: string }>(`select count(*) from public.${media}`);
  return Number(rows[0]?.count);
}

async function readLoadedRows(session: Session, media: SampleMedia): Promise<number | null> {
  if (!(await relationExists(session, recordTable))) return null;
  const { rows } = await session.query<{ rows: string }>(`select rows from ${recordTable} where media = $1`, [
    media,
  ]);
  return rows[0] ? Number(rows[0].rows) : null;
}
