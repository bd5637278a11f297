/**
 * The copy of generated image rows (ids kept, tags filtered, one pass) against a raw `copy to stdout | copy from stdin` of the same columns into
 * the same kind of table, in turns in one run. 95 % of the records are known to the live table, in random order. Prints one JSON line.
 *
 *   npm run bench:copy -- 300000 3          rows, rounds
 *
 * FRESHET_CATALOG_URL and FRESHET_API_URL name empty databases to use instead of embedded ones. The raw copy goes through two psql where
 * there is one, else through this process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus, totalmem } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { buildConfig } from '../src/config/load.js';
import { openverse } from '../src/config/presets/openverse.js';
import type { MediaConfig } from '../src/config/types.js';
import { copyMedia, type TableCopyResult } from '../src/copy/copyMedia.js';
import { startParts } from '../src/embedded/parts.js';
import { withSession, type Session } from '../src/postgres/session.js';
import { createApiTables, createCatalogTables, fillCatalog } from '../src/sample/index.js';

const seed = 42;
const [rows = 300_000, rounds = 3] = process.argv.slice(2).map(Number);
const hasPsql = spawnSync('psql', ['--version']).status === 0;

interface Urls {
  readonly catalogUrl: string;
  readonly apiUrl: string;
}

const inSession = <T>(url: string, work: (session: Session) => Promise<T>): Promise<T> =>
  withSession(url, { applicationName: 'freshet bench', called: 'database' }, work);

async function copyOnce({ catalogUrl, apiUrl }: Urls, media: MediaConfig): Promise<TableCopyResult> {
  const { tables } = await copyMedia({
    catalogUrl,
    apiUrl,
    media,
    runId: 'bench',
    version: '0',
    recordLimit: null,
    allowEmpty: false,
    isRunOver: () => true,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  const [table] = tables;
  if (table === undefined) throw new Error('nothing was copied');
  return table;
}

/** The live table knows 95 % of the records, under ids that do not follow the catalog's order. */
async function makeLive(urls: Urls, media: MediaConfig): Promise<void> {
  await copyOnce(urls, media);
  await inSession(urls.apiUrl, async (session) => {
    const { rows: columns } = await session.query<{ list: string }>(
      `select string_agg(quote_ident(attname), ', ') as list from pg_attribute
       where attrelid = 'public.image'::regclass and attnum > 0 and not attisdropped and attname <> 'id'`,
    );
    const list = columns[0]?.list ?? '';
    await session.query(
      `insert into public.image (id, ${list}) select row_number() over (order by md5(identifier::text)), ${list}
       from public.temp_import_image where abs(hashtext(identifier::text)) % 100 < 95 order by md5(url)`,
    );
    await session.query(`select setval('public.image_id_seq', (select max(id) from public.image))`);
    await session.query('create table public.raw_copy (like public.temp_import_image)');
    await session.query('alter table public.raw_copy drop column id, drop column view_count');
  });
}

/** Column names that both have, in the order of the raw table. */
async function listColumns(apiUrl: string): Promise<string> {
  const { rows: columns } = await inSession(apiUrl, (session) =>
    session.query<{ list: string }>(
      `select string_agg(quote_ident(attname), ', ' order by attnum) as list from pg_attribute
       where attrelid = 'public.raw_copy'::regclass and attnum > 0 and not attisdropped`,
    ),
  );
  return columns[0]?.list ?? '';
}

async function copyRaw({ catalogUrl, apiUrl }: Urls, columns: string): Promise<void> {
  const out = `copy (select ${columns} from public.image) to stdout`;
  const into = `copy public.raw_copy (${columns}) from stdin with (freeze)`;
  if (hasPsql) {
    const psql = (url: string, ...statements: string[]): string[] => [
      ...['-qXd', url, '-v', 'ON_ERROR_STOP=1'],
      ...statements.flatMap((statement) => ['-c', statement]),
    ];
    const source = spawn('psql', psql(catalogUrl, out), { stdio: ['ignore', 'pipe', 'inherit'] });
    const target = spawn('psql', psql(apiUrl, 'begin', 'truncate public.raw_copy', into, 'commit'), {
      stdio: [source.stdout, 'ignore', 'inherit'],
    });
    source.stdout.destroy();
    const [status] = (await once(target, 'close')) as [number];
    if (status !== 0) throw new Error(`psql ended with ${status}`);
    return;
  }
  await inSession(catalogUrl, (source) =>
    inSession(apiUrl, async (target) => {
      await target.query('begin');
      await target.query('truncate public.raw_copy');
      await pipeline(source.query(copyTo(out)), target.query(copyFrom(into)));
      await target.query('commit');
    }),
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const rounded = (value: number): number => Math.round(value * 100) / 100;

async function measure(urls: Urls): Promise<void> {
  const { media } = await buildConfig(openverse(), { env: {}, file: null, folder: process.cwd() });
  const image = media['image'];
  if (image === undefined) throw new Error('the preset has no image');
  await inSession(urls.catalogUrl, createCatalogTables);
  await inSession(urls.apiUrl, createApiTables);
  await fillCatalog({ catalogUrl: urls.catalogUrl, media: 'image', records: rows, seed });
  await makeLive(urls, image);
  const columns = await listColumns(urls.apiUrl);
  const seconds: Record<'raw' | 'copy', number[]> = { raw: [], copy: [] };
  let last: TableCopyResult | null = null;
  for (let round = 0; round < rounds; round += 1) {
    await inSession(urls.apiUrl, (session) => session.query('checkpoint'));
    seconds.raw.push(await timed(() => copyRaw(urls, columns)));
    await inSession(urls.apiUrl, (session) => session.query('checkpoint'));
    seconds.copy.push(await timed(async () => (last = await copyOnce(urls, image))));
  }
  const { idsKept, idsNew, rowsChanged, bytes } = last ?? ({} as TableCopyResult);
  console.log(
    JSON.stringify({
      bench: 'copy',
      seed,
      rows,
      // Of each pair of neighbours: what else the machine does then weighs on both.
      ratio: rounded(median(seconds.copy.map((value, i) => value / (seconds.raw[i] ?? NaN)))),
      secondsCopy: seconds.copy.map(rounded),
      secondsRaw: seconds.raw.map(rounded),
      raw: hasPsql ? 'psql to psql' : 'streams of this process',
      megabytes: Math.round(bytes / 1e6),
      idsKept,
      idsNew,
      rowsChanged,
      peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
      machine: { cpus: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version },
    }),
  );
}

const { FRESHET_CATALOG_URL: catalogUrl, FRESHET_API_URL: apiUrl } = process.env;
if (catalogUrl && apiUrl) await measure({ catalogUrl, apiUrl });
else {
  const parts = await startParts({ folder: null, search: false });
  try {
    await measure(parts);
  } finally {
    await parts.stop();
  }
}
