/**
 * A comparison of everything (`freshet verify`) after a refresh of generated image rows on real parts: time by part, rows a second, and the command's
 * peak memory; then again with planted differences, all of which it must find. For each number of rows one JSON line; the last line has the slopes.
 *
 *   npm run bench:verify -- 100000 1000000
 *
 * With FRESHET_TEST_CATALOG_URL and its like (`test/setup/parts.ts`) on servers that are up, in databases of its own.
 */
import { cpus, totalmem } from 'node:os';
import { startParts } from '../src/embedded/parts.js';
import { withSession } from '../src/postgres/session.js';
import { readPeak, startCommand, type Servers } from './setup/command.js';
import { createApiTables, createCatalogTables, fillCatalog } from '../src/sample/index.js';
import { plantDifferences } from '../test/integration/verify/plants.js';
import { createDatabase } from '../test/setup/databases.js';
import { readGivenParts } from '../test/setup/parts.js';
import { listTold, type Verified } from '../test/integration/verify/told.js';

const seed = 42;
const planted = 300;
const session = { applicationName: 'freshet bench', called: 'database' };

interface Measured {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly status: number;
  readonly told: Verified;
  /** The plain progress lines. */
  readonly lines: string;
}

async function run(parts: Servers, args: readonly string[]): Promise<Measured> {
  const startedAt = performance.now();
  const { child, ended } = startCommand(parts, args, 'pipe');
  let lines = '';
  child.stderr?.on('data', (chunk: Buffer) => (lines += chunk.toString()));
  let peakBytes = 0;
  const timer = setInterval(() => {
    void readPeak(child.pid ?? 0).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)));
  }, 100);
  const output = await ended([0, 4]).finally(() => clearInterval(timer));
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { seconds, peakBytes, status: child.exitCode ?? 0, told: JSON.parse(output) as Verified, lines };
}

async function openServers(): Promise<Servers & { stop(): Promise<void> }> {
  const given = readGivenParts();
  if (given === null) return startParts({ folder: null, searchHeapMb: 1024 });
  const { searchUrl } = given;
  const [catalog, api, state] = [
    await createDatabase(given.catalogUrl),
    await createDatabase(given.apiUrl),
    await createDatabase(given.apiUrl),
  ];
  return {
    catalogUrl: catalog.url,
    apiUrl: api.url,
    stateUrl: state.url,
    searchUrl,
    stop: async () => {
      const indexes = (await (await fetch(`${searchUrl}/image-*/_alias`)).json()) as object;
      for (const name of Object.keys(indexes)) await fetch(`${searchUrl}/${name}`, { method: 'DELETE' });
      await Promise.all([catalog, api, state].map((database) => database.drop()));
    },
  };
}

async function measure(rows: number): Promise<{ equal: Measured; different: Measured }> {
  const parts = await openServers();
  try {
    await withSession(parts.catalogUrl, session, createCatalogTables);
    await withSession(parts.apiUrl, session, createApiTables);
    await fillCatalog({ catalogUrl: parts.catalogUrl, media: 'image', records: rows, seed });
    await run(parts, ['refresh', 'local', 'image', '--record-limit', 'none']);
    const equal = await run(parts, ['verify', 'local', 'image']);
    if (!equal.told.equal) throw new Error(`not equal after a refresh: ${JSON.stringify(equal.told.faults)}`);
    const expected = await plantIn(parts, equal.told);
    const different = await run(parts, ['verify', 'local', 'image', '--limit', '10000']);
    const found = listTold(different.told.faults);
    if (found.join('\n') !== expected.join('\n'))
      throw new Error(`planted:\n${expected.join('\n')}\nfound:\n${found.join('\n')}`);
    return { equal, different };
  } finally {
    await parts.stop();
  }
}

function plantIn({ catalogUrl, apiUrl, searchUrl }: Servers, told: Verified): Promise<string[]> {
  return withSession(catalogUrl, session, (catalog) =>
    withSession(apiUrl, session, (api) =>
      plantDifferences(
        {
          catalog,
          api,
          searchUrl: searchUrl ?? '',
          media: 'image',
          main: told.index,
          filtered: told.filteredIndex ?? '',
          hasTerms: false,
        },
        planted,
      ),
    ),
  );
}

const sizes = process.argv.slice(2).map(Number);
const results: { rows: number; peakBytes: number }[] = [];
for (const rows of sizes.length > 0 ? sizes : [100_000, 1_000_000]) {
  const { equal, different } = await measure(rows);
  results.push({ rows, peakBytes: equal.peakBytes });
  const shown = ({ seconds, peakBytes, lines }: Measured) => ({ seconds, peakBytes, lines });
  console.log(
    JSON.stringify({
      bench: 'verify',
      seed,
      rows,
      equal: shown(equal),
      different: { ...shown(different), planted, found: listTold(different.told.faults).length },
      machine: machine(),
    }),
  );
}
const [smallest, largest] = [results[0], results.at(-1)];
if (smallest && largest && results.length > 1) {
  const bytesPerRow = (largest.peakBytes - smallest.peakBytes) / (largest.rows - smallest.rows);
  console.log(JSON.stringify({ bench: 'verify slope', bytesPerRow: Math.round(bytesPerRow * 10) / 10 }));
}

function machine(): Record<string, unknown> {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
}
