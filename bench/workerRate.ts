// How many documents per second one worker writes, and what it costs, beside a sender of ready bulk bodies (the ceiling).
// node --import jiti/register bench/workerRate.ts [rows = 100000] [rounds = 3]: starts embedded parts, prints one JSON line.
import { readFileSync } from 'node:fs';
import { startParts } from '../src/embedded/parts.js';
import { imageDocument } from '../src/documents/image.js';
import { bulkLine } from '../src/indexing/bulkBatch.js';
import { openReadSession, openRowSource } from '../src/indexing/rowSource.js';
import { bulkBytesMax } from '../src/limits.js';
import type { SearchClient } from '../src/search/client.js';
import { createDatabase, uniqueName } from '../test/setup/databases.js';
import {
  createImageIndex,
  createImageTables,
  fillImages,
  openTestClient,
} from '../test/integration/worker/imageTables.js';
import { WorkerProcess } from '../test/integration/worker/workerProcess.js';

const [rows = 100_000, rounds = 3] = process.argv.slice(2).map(Number);
const selection = {
  table: { schema: 'public', name: 'temp_import_image' },
  idColumn: 'id',
  columns: imageDocument.columns,
  removedColumn: null,
  deletedMediaTable: null,
  sensitiveMediaTable: null,
  runId: null,
};

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function peakMb(pid: number): number {
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

async function withIndex<T>(client: SearchClient, work: (index: string) => Promise<T>): Promise<T> {
  const index = uniqueName('image-bench');
  await createImageIndex(client, index);
  try {
    return await work(index);
  } finally {
    await client.indices.delete({ index });
  }
}

/** The bodies that the worker would send, built beforehand. */
async function buildBodies(apiUrl: string): Promise<string[]> {
  const session = await openReadSession(apiUrl, 'bench');
  const source = await openRowSource(session, selection, { kind: 'ids', startId: 1n, endId: BigInt(rows) });
  const bodies: string[] = [];
  let body = '';
  for await (const lines of source.lines(new AbortController().signal)) {
    for (const line of lines) {
      const read = source.read(line);
      if (read.skipped !== null) continue;
      body += bulkLine(read.id, JSON.stringify(imageDocument.build(read.row, { sensitive: false })));
      if (body.length > bulkBytesMax) [body] = ['', bodies.push(body)];
    }
  }
  await session.end();
  return [...bodies, body];
}

/** Sends ready bodies, three at a time. @returns documents per second. */
async function sendBodies(client: SearchClient, index: string, bodies: readonly string[]): Promise<number> {
  const queue = [...bodies];
  const startedAt = performance.now();
  const send = async (): Promise<void> => {
    for (let body = queue.shift(); body !== undefined; body = queue.shift()) {
      const params = { method: 'POST', path: `/${index}/_bulk`, bulkBody: body };
      const answer = await client.transport.request({ ...params, querystring: { filter_path: 'errors' } });
      if ((answer.body as { errors: boolean }).errors) throw new Error('The ceiling met errors.');
    }
  };
  await Promise.all([send(), send(), send()]);
  return rows / ((performance.now() - startedAt) / 1000);
}

const parts = await startParts({ folder: null, searchHeapMb: 1_024 });
const database = await createDatabase(parts.apiUrl);
const session = await createImageTables(database.url);
await fillImages(session, rows);
const client = openTestClient(parts.searchUrl ?? '');
const bodies = await buildBodies(database.url);
const worker = await WorkerProcess.start({ apiUrl: database.url, searchUrl: parts.searchUrl ?? '' });
const rates: number[] = [];
const ceilings: number[] = [];
const cpus: number[] = [];
// The first round warms the engine and both programs and is not counted.
for (let round = 0; round <= rounds; round += 1) {
  const ceiling = await withIndex(client, (index) => sendBodies(client, index, bodies));
  const [rate, cpu] = await withIndex(client, async (index) => {
    const before = cpuSeconds(worker.pid);
    const status = await worker.run({
      model_name: 'image',
      table_name: 'temp_import_image',
      target_index: index,
      start_id: 1,
      end_id: rows,
    });
    if (status.counts.indexed !== rows) throw new Error(JSON.stringify(status));
    const seconds = (Date.parse(status.finish_time ?? '') - Date.parse(status.start_time)) / 1000;
    return [rows / seconds, ((cpuSeconds(worker.pid) - before) * 1_000_000) / rows] as const;
  });
  if (round === 0) continue;
  ceilings.push(ceiling);
  rates.push(rate);
  cpus.push(cpu);
}
console.log(
  JSON.stringify({
    rows,
    documentBytes: Math.round(bodies.reduce((sum, body) => sum + body.length, 0) / rows),
    docsPerSecond: rates.map(Math.round),
    ceilingDocsPerSecond: ceilings.map(Math.round),
    ratio: Number((median(rates) / median(ceilings)).toFixed(2)),
    workerCpuSecondsPerMillionDocs: Number(median(cpus).toFixed(1)),
    workerPeakMb: peakMb(worker.pid),
  }),
);
await worker.end();
await client.close();
await session.end();
await database.drop();
await parts.stop();
