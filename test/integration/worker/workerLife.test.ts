import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.js';
import type { Session } from '../../../src/postgres/session.js';
import type { SearchClient } from '../../../src/search/client.js';
import { startWorker as startInProcess } from '../../../src/worker/startWorker.js';
import { createDatabase, uniqueName, type TestDatabase } from '../../setup/databases.js';
import {
  countDocuments,
  createImageIndex,
  createImageTables,
  fillImages,
  openTestClient,
} from './imageTables.js';
import { WorkerProcess } from './workerProcess.js';

const rows = 20_000;
let database: TestDatabase;
let session: Session;
let client: SearchClient;
let index: string;
let workers: WorkerProcess[] = [];

beforeAll(async () => {
  const parts = inject('parts');
  database = await createDatabase(parts.apiUrl);
  session = await createImageTables(database.url);
  await fillImages(session, rows);
  client = openTestClient(parts.searchUrl);
});

afterAll(async () => {
  await client?.close();
  await session?.end();
  await database?.drop();
});

beforeEach(async () => {
  index = uniqueName('image-life');
  await createImageIndex(client, index);
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
  workers = [];
});

async function startWorker(environment: Record<string, string> = {}): Promise<WorkerProcess> {
  const urls = { apiUrl: database.url, searchUrl: inject('parts').searchUrl };
  const worker = await WorkerProcess.start(urls, environment);
  workers.push(worker);
  return worker;
}

const task = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  model_name: 'image',
  table_name: 'temp_import_image',
  target_index: index,
  start_id: 1,
  end_id: rows,
  task_id: 'slice',
  ...changes,
});

async function countWorkerSessions(): Promise<number> {
  const { rows: found } = await session.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name = 'freshet worker'`,
  );
  return found[0]?.count ?? 0;
}

describe('a worker', () => {
  test('D8: killed in the middle of a slice loses nothing: another worker does the slice again', async () => {
    const doomed = await startWorker({ FRESHET_FAILPOINT: 'worker.rows@40' });
    const exited = new Promise((resolve) => doomed.child.once('exit', (_, signal) => resolve(signal)));
    expect((await doomed.post(task())).status).toBe(202);
    expect(await exited).toBe('SIGKILL');
    const successor = await startWorker();
    expect((await successor.call('GET', '/task/slice')).status).toBe(404);
    const status = await successor.run(task());
    expect(status).toMatchObject({ state: 'done', counts: { read: rows, indexed: rows } });
    expect(await countDocuments(client, index)).toBe(rows);
  });

  test('cancels a task on DELETE, also while it waits for the database', async () => {
    const worker = await startWorker();
    await worker.post(task());
    const answer = await worker.call('DELETE', '/task/slice');
    expect(answer).toMatchObject({
      status: 200,
      body: { state: 'cancelled', active: false, error_code: 'TASK_CANCELLED' },
    });
    expect(answer.body['error']).toContain('by request');
    expect((await worker.status('slice')).state).toBe('cancelled');
  });

  test('gives its slice back on SIGTERM and ends with status 0, leaving no session behind', async () => {
    const worker = await startWorker();
    await worker.post(task());
    await worker.waitFor('slice', ({ counts }) => counts.read > 0);
    expect(await worker.end('SIGTERM')).toEqual([0, null]);
    const deadline = Date.now() + 10_000;
    while ((await countWorkerSessions()) > 0 && Date.now() < deadline) await delay(25);
    expect(await countWorkerSessions()).toBe(0);
  });

  test('ends when the process that started it is gone', async () => {
    const worker = await startWorker();
    const exited = new Promise((resolve) => worker.child.once('exit', (status) => resolve(status)));
    worker.child.stdin.end();
    expect(await exited).toBe(0);
  });

  test('fails a task whose database session is cut, and does the next one', async () => {
    const worker = await startWorker();
    await worker.post(task());
    await worker.waitFor('slice', ({ counts }) => counts.read > 0);
    await session.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'freshet worker'`,
    );
    const status = await worker.waitFor('slice', ({ active }) => !active);
    expect(status).toMatchObject({ state: 'failed' });
    expect(status.error).toMatch(/terminat/);
    expect(await worker.run(task({ task_id: 'again' }))).toMatchObject({
      state: 'done',
      counts: { indexed: rows },
    });
  });

  test('fails a task whose alias is taken away, and writes nothing more', async () => {
    const alias = uniqueName('image-writing');
    await client.indices.putAlias({ index, name: alias });
    const worker = await startWorker();
    await worker.post(task({ target_index: alias, require_alias: true }));
    await worker.waitFor('slice', ({ counts }) => counts.indexed > 0);
    await client.indices.deleteAlias({ index, name: alias });
    const status = await worker.waitFor('slice', ({ active }) => !active);
    expect(status).toMatchObject({ state: 'failed', error_code: 'BULK_REFUSED' });
    expect((await client.indices.exists({ index: alias })).body).toBe(false);
  });

  test('does a few tasks at once and answers 429 for one more', async () => {
    const worker = await startWorker();
    const names = Array.from({ length: 6 }, (_, i) => `slice-${i}`);
    const answers = await Promise.all(names.map((name) => worker.post(task({ task_id: name }))));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 202, 202, 429, 429]);
    const started = names.filter((_, i) => answers[i]?.status === 202);
    for (const name of started) {
      const status = await worker.waitFor(name, ({ active }) => !active);
      expect(status).toMatchObject({ state: 'done', counts: { indexed: rows } });
    }
    expect(await countDocuments(client, index)).toBe(rows);
  });

  test('D18: shows no URL of database or cluster in its log, its arguments or its answers', async () => {
    const worker = await startWorker();
    await worker.run(task());
    const { body } = await worker.post(task({ task_id: 'refused', target_index: 'image-missing' }));
    const { host } = new URL(database.url);
    const seen = [
      worker.log.join('\n'),
      readFileSync(`/proc/${worker.pid}/cmdline`, 'utf8'),
      JSON.stringify([await worker.status('slice'), body]),
    ];
    for (const text of seen) expect(text).not.toContain(host);
  });

  test('refuses hosts that are not loopback, and a port that is taken', async () => {
    const config = await loadConfig({ cwd: tmpdir(), env: {} });
    const options = {
      config,
      environment: 'local',
      apiUrl: database.url,
      searchUrls: [inject('parts').searchUrl],
      log: pino({ level: 'silent' }),
      port: 0,
    };
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org']) {
      await expect(startInProcess({ ...options, host })).rejects.toMatchObject({
        code: 'WORKER_NOT_LOOPBACK',
      });
    }
    const first = await startInProcess({ ...options, host: '127.0.0.1' });
    const port = Number(new URL(first.url).port);
    await expect(startInProcess({ ...options, host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'WORKER_PORT_TAKEN',
    });
    await first.close();
  });
});
