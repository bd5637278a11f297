import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
import { FreshetError, messageOf } from '../errors.js';
import { withSession } from '../postgres/session.js';
import { createCatalogTables } from './catalogTables.js';
import { replaceRecords } from './replaceRecords.js';
import type { LoadedSample, SampleMedia } from './types.js';

export interface CsvOptions {
  readonly catalogUrl: string;
  readonly media: SampleMedia;
  /** A CSV file with a header, in the column order of the catalog's table; an empty unquoted field is null. */
  readonly file: string;
}

/**
 * Fills the catalog's table of `media` from a file. Replaces an earlier sample in one transaction: on any error the catalog has what it had
 * before. Throws CSV_INVALID naming line and column, SAMPLE_REFUSED.
 */
export async function loadCatalogCsv(options: CsvOptions): Promise<LoadedSample> {
  const { catalogUrl, media, file } = options;
  await checkCsvHeader(options);
  const hash = createHash('sha256');
  try {
    return await replaceRecords(
      {
        media,
        catalogUrl,
        format: `format csv, header true`,
        columns: null,
        indexesAfterwards: false,
        origin: () => `sha256 ${hash.digest('hex')}`,
      },
      readChunks(file, (chunk) => hash.update(chunk)),
    );
  } catch (error) {
    throw explainCopyError(file, error);
  }
}

/** Compares the file's header with the catalog's table; loads nothing. Throws CSV_INVALID. */
export async function checkCsvHeader(options: CsvOptions): Promise<void> {
  compareHeader(options, await readHeader(options.file), await readColumns(options));
}

async function* readChunks(file: string, look: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    look(chunk);
    yield chunk;
  }
}

async function readColumns({ catalogUrl, media }: CsvOptions): Promise<string[]> {
  return withSession(
    catalogUrl,
    { applicationName: 'freshet sample data', called: 'catalog' },
    async (session) => {
      await createCatalogTables(session);
      const { rows } = await session.query<{ name: string }>(
        `select attname::text as name from pg_attribute
       where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
        [`public.${media}`],
      );
      return rows.map((row) => row.name);
    },
  );
}

/** The first record of the file. */
async function readHeader(file: string): Promise<string[]> {
  const stream = createReadStream(file);
  const parser = parse({ bom: true, to: 1, relax_column_count: true });
  stream.on('error', (error) => parser.destroy(error));
  try {
    for await (const record of stream.pipe(parser) as AsyncIterable<string[]>) return record;
    return [];
  } catch (error) {
    throw csvError(file, `cannot be read: ${messageOf(error)}`, error);
  } finally {
    stream.destroy();
  }
}

function compareHeader(
  { file, media }: CsvOptions,
  header: readonly string[],
  columns: readonly string[],
): void {
  const length = Math.max(header.length, columns.length);
  for (let at = 0; at < length; at += 1) {
    if (header[at] === columns[at]) continue;
    const found = header[at] === undefined ? 'the header ends' : `the header has "${header[at]}"`;
    const wanted = columns[at] === undefined ? 'no further column' : `the column "${columns[at]}"`;
    throw csvError(
      file,
      `line 1, column ${at + 1}: ${found} where the catalog's ${media} table has ${wanted}.`,
    );
  }
}

/** Postgres says in `where` which line and column of the stream it was at: `COPY image, line 7, column width: "abc"`. */
function explainCopyError(file: string, error: unknown): unknown {
  if (error instanceof FreshetError) return error;
  const { where, detail } = error as { where?: string; detail?: string };
  if (where === undefined) return error;
  const place = /COPY \w+, (line \d+(?:, column \w+)?)/.exec(where)?.[1] ?? where;
  return csvError(file, `${place}: ${messageOf(error)}${detail ? ` (${detail})` : ''}.`, error);
}

function csvError(file: string, problem: string, cause?: unknown): FreshetError {
  return new FreshetError('CSV_INVALID', `${file}: ${problem}`, { file }, { cause });
}
