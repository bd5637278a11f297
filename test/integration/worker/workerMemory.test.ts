import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { createDatabase, uniqueName } from '../../setup/databases.js';
import {
  countDocuments,
  createImageIndex,
  createImageTables,
  fillImages,
  openTestClient,
} from './imageTables.js';
import { WorkerProcess } from './workerProcess.js';

/** What 100,000 more rows may add to the peak: far below the 60 MB and more that their documents have. */
const growthMbMax = 40;

function peakMb(pid: number): number {
  const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

test("D25: a worker's memory is flat: three times the rows have the same peak", async () => {
  const parts = inject('parts');
  const database = await createDatabase(parts.apiUrl);
  const session = await createImageTables(database.url);
  await fillImages(session, 150_000);
  const client = openTestClient(parts.searchUrl);
  const index = uniqueName('image-memory');
  await createImageIndex(client, index);
  const worker = await WorkerProcess.start({ apiUrl: database.url, searchUrl: parts.searchUrl });
  try {
    const task = { model_name: 'image', table_name: 'temp_import_image', target_index: index, start_id: 1 };
    await worker.run({ ...task, end_id: 50_000 });
    const first = peakMb(worker.pid);
    await worker.run({ ...task, end_id: 150_000 });
    expect(peakMb(worker.pid) - first).toBeLessThan(growthMbMax);
    expect(await countDocuments(client, index)).toBe(150_000);
  } finally {
    await worker.end();
    await client.indices.delete({ index });
    await client.close();
    await session.end();
    await database.drop();
  }
});
