import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { withSession, withTransaction, type Session } from '../postgres/session.js';
import { createCatalogTables, createIndexStatements, uniqueIndexes } from './catalogTables.js';
import { assertOnlySampleRecords, recordLoad } from './sampleLoad.js';
import type { LoadedSample, SampleMedia } from './types.js';

/** How a catalog's table gets its records. */
export interface RecordSource {
  readonly media: SampleMedia;
  readonly catalogUrl: string;
  /** `with (…)` options of COPY besides `freeze`. */
  readonly format: string;
  /** Columns in the order of the stream; null = all in the table's order. */
  readonly columns: readonly string[] | null;
  /** Primary key and unique indexes are built after the load (faster); a duplicate is then known by its key, not by its line. */
  readonly indexesAfterwards: boolean;
  /** What the records are, asked for after the stream has ended. */
  origin(): string;
}

/**
 * Replaces all records of a media type in one transaction: until its end, and after any failure, the catalog has what it had before. Throws
 * SAMPLE_REFUSED when there are records that no sample put there.
 */
export async function replaceRecords(
  source: RecordSource,
  stream: AsyncIterable<Buffer>,
): Promise<LoadedSample> {
  const { catalogUrl, media } = source;
  return withSession(catalogUrl, { applicationName: 'freshet sample data', called: 'catalog' }, (session) =>
    withTransaction(session, async () => {
      // Two loads at once would each count the other's records as foreign.
      await session.query(`select pg_advisory_xact_lock(hashtextextended('freshet.sample', 0))`);
      await createCatalogTables(session);
      await assertOnlySampleRecords(session);
      await session.query(`truncate public.${media}`);
      const rows = await loadRecords(session, source, stream);
      const sample = { media, rows, origin: source.origin() };
      await recordLoad(session, sample);
      await session.query(`analyze public.${media}`);
      return sample;
    }),
  );
}

async function loadRecords(
  session: Session,
  source: RecordSource,
  stream: AsyncIterable<Buffer>,
): Promise<number> {
  const { media, indexesAfterwards } = source;
  if (!indexesAfterwards) return copyRecords(session, source, stream);
  await session.query(`set local maintenance_work_mem = '256MB'`);
  await session.query(`alter table public.${media} drop constraint if exists ${media}_pkey`);
  for (const name of Object.keys(uniqueIndexes(media))) {
    await session.query(`drop index if exists public.${name}`);
  }
  const rows = await copyRecords(session, source, stream);
  await session.query(`alter table public.${media} add constraint ${media}_pkey primary key (identifier)`);
  for (const statement of createIndexStatements(media)) await session.query(statement);
  return rows;
}

async function copyRecords(
  session: Session,
  { media, columns, format }: RecordSource,
  stream: AsyncIterable<Buffer>,
): Promise<number> {
  const list = columns === null ? '' : ` (${columns.join(', ')})`;
  const copy = session.query(copyFrom(`copy public.${media}${list} from stdin with (${format}, freeze)`));
  await pipeline(Readable.from(stream, { objectMode: false }), copy);
  return copy.rowCount;
}
