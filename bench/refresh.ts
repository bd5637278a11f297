/**
 * A whole refresh of generated image rows on real parts, by phase, with the peak memory of orchestrator and worker. For each number of rows one
 * JSON line; the last line has the slopes in bytes per row between the smallest and the largest.
 *
 *   npm run bench:refresh -- 300000 1000000
 */
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { startParts, type EmbeddedParts } from '../src/embedded/parts.js';
import { withSession } from '../src/postgres/session.js';
import { readPeak, startCommand } from './setup/command.js';
import { createApiTables, createCatalogTables, fillCatalog } from '../src/sample/index.js';

const seed = 42;

interface Peak {
  orchestratorBytes: number;
  workerBytes: number;
}

interface Measured extends Peak {
  readonly rows: number;
  readonly seconds: number;
  readonly phases: Record<string, number>;
}

async function listChildren(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

async function watchPeaks(pid: number, peak: Peak): Promise<void> {
  peak.orchestratorBytes = Math.max(peak.orchestratorBytes, await readPeak(pid));
  for (const child of await listChildren(pid)) {
    peak.workerBytes = Math.max(peak.workerBytes, await readPeak(child));
  }
}

async function refresh(parts: EmbeddedParts): Promise<Measured> {
  const { child, ended } = startCommand(parts, ['refresh', 'local', 'image', '--record-limit', 'none']);
  const peak: Peak = { orchestratorBytes: 0, workerBytes: 0 };
  const timer = setInterval(() => void watchPeaks(child.pid ?? 0, peak), 200);
  const output = await ended().finally(() => clearInterval(timer));
  const { run, phases, counts } = JSON.parse(output) as {
    run: { startedAt: string; finishedAt: string };
    phases: { name: string; durationMs: number; progressDone: number }[];
    counts: { after: Record<string, number> };
  };
  if (Object.keys(counts.after).length === 0) throw new Error('the refresh counted nothing');
  return {
    rows: phases.find((phase) => phase.name === 'copy')?.progressDone ?? 0,
    seconds: (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000,
    phases: Object.fromEntries(phases.map((phase) => [phase.name, phase.durationMs / 1000])),
    ...peak,
  };
}

async function measure(rows: number): Promise<Measured[]> {
  const parts = await startParts({ folder: null, searchHeapMb: 1024 });
  try {
    const session = { applicationName: 'freshet bench', called: 'database' };
    await withSession(parts.catalogUrl, session, createCatalogTables);
    await withSession(parts.apiUrl, session, createApiTables);
    await fillCatalog({ catalogUrl: parts.catalogUrl, media: 'image', records: rows, seed });
    // The first refresh gives every record a new id, the second keeps them all: the map of ids is what could grow.
    return [await refresh(parts), await refresh(parts)];
  } finally {
    await parts.stop();
  }
}

const sizes = process.argv.slice(2).map(Number);
const results: Measured[][] = [];
for (const rows of sizes.length > 0 ? sizes : [300_000, 1_000_000]) {
  const measured = await measure(rows);
  results.push(measured);
  const [first, second] = measured;
  console.log(JSON.stringify({ bench: 'refresh', seed, rows, first, second, machine: machine() }));
}
const [smallest, largest] = [results[0], results.at(-1)];
if (smallest && largest && results.length > 1)
  console.log(JSON.stringify({ bench: 'refresh slope', ...slopes(smallest, largest) }));

function slopes(smallest: Measured[], largest: Measured[]): Record<string, number> {
  const slope = (index: number, of: keyof Peak): number => {
    const [a, b] = [smallest[index], largest[index]];
    return a && b ? Math.round(((b[of] - a[of]) / (b.rows - a.rows)) * 10) / 10 : 0;
  };
  return {
    orchestratorBytesPerRow: slope(0, 'orchestratorBytes'),
    orchestratorBytesPerRowIdsKept: slope(1, 'orchestratorBytes'),
    workerBytesPerRow: slope(0, 'workerBytes'),
    workerBytesPerRowIdsKept: slope(1, 'workerBytes'),
  };
}

function machine(): Record<string, unknown> {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
}
