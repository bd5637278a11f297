import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { imageDocument } from '../../../src/documents/image.js';
import { documentDigest } from '../../../src/documents/digest.js';
import { ensureMarks } from '../../../src/postgres/marks.js';
import { recordApplied } from '../../../src/postgres/applied.js';
import type { Session } from '../../../src/postgres/session.js';
import type { SearchClient } from '../../../src/search/client.js';
import { createDatabase, uniqueName, type TestDatabase } from '../../setup/databases.js';
import {
  countDocuments,
  createImageIndex,
  createImageTables,
  fillImages,
  identifierOf,
  openTestClient,
  readDocument,
} from './imageTables.js';
import { WorkerProcess } from './workerProcess.js';

let database: TestDatabase;
let session: Session;
let client: SearchClient;
let worker: WorkerProcess;
let index: string;

beforeAll(async () => {
  const parts = inject('parts');
  database = await createDatabase(parts.apiUrl);
  session = await createImageTables(database.url);
  await ensureMarks(session);
  client = openTestClient(parts.searchUrl);
  worker = await WorkerProcess.start({ apiUrl: database.url, searchUrl: parts.searchUrl });
});

afterAll(async () => {
  await worker?.end();
  await client?.close();
  await session?.end();
  await database?.drop();
});

beforeEach(async () => {
  await session.query(
    'truncate public.image, public.temp_import_image, public.api_deletedimage, public.api_matureimage',
  );
  index = uniqueName('image-test');
  await createImageIndex(client, index);
});

const task = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  model_name: 'image',
  table_name: 'temp_import_image',
  target_index: index,
  ...changes,
});

describe('a task', () => {
  test('turns the rows of an id range, both ends inclusive, into documents', async () => {
    await fillImages(session, 100);
    const status = await worker.run(task({ start_id: 11, end_id: 20 }));
    expect(status).toMatchObject({
      state: 'done',
      active: false,
      model: 'image',
      target_index: index,
      progress: 100,
      error: null,
      counts: { read: 10, skipped: 0, removed: 0, deleted: 0, indexed: 10, rejected: 0, datesLeftOut: 0 },
    });
    expect(Date.parse(status.finish_time ?? '')).toBeGreaterThanOrEqual(Date.parse(status.start_time));
    expect(await countDocuments(client, index)).toBe(10);
    expect(await readDocument(client, index, 10)).toBeUndefined();
    expect(await readDocument(client, index, 20)).toEqual({
      id: 20,
      identifier: identifierOf(20),
      created_on: '2024-03-28T00:00:00+00:00',
      provider: 'flickr',
      source: 'flickr',
      category: 'photograph',
      title: 'Title of image 20',
      creator: 'Creator 20',
      url: 'https://example.org/photos/20.jpg',
      license: 'by',
      mature: false,
      description: 'A river in spring ',
      standardized_popularity: 20,
      authority_boost: 75,
      max_boost: 75,
      min_boost: 20,
      tags: [{ name: 'river', accuracy: 0.95 }, { name: 'tag 20' }],
      aspect_ratio: 'wide',
      size: 'medium',
      extension: 'jpg',
    });
  });

  test('D1: slices of blocks together read every row once', async () => {
    await fillImages(session, 1_000);
    const { rows } = await session.query<{ blocks: number }>(
      `select (pg_relation_size('public.temp_import_image') / current_setting('block_size')::int)::int as blocks`,
    );
    const blocks = rows[0]?.blocks ?? 0;
    const middle = Math.floor(blocks / 3);
    const first = await worker.run(task({ start_block: 0, end_block: middle }));
    const second = await worker.run(task({ start_block: middle, end_block: blocks }));
    expect(first.counts.read).toBeGreaterThan(0);
    expect(first.counts.read + second.counts.read).toBe(1_000);
    expect(await countDocuments(client, index)).toBe(1_000);
  });

  test('D3: ends at exactly 100 whatever the gaps between ids, and succeeds', async () => {
    await fillImages(session, 50, 1_000);
    const status = await worker.run(task({ start_id: 1, end_id: 2_000_000_000 }));
    expect(status).toMatchObject({ state: 'done', progress: 100, error: null });
    expect(status.counts.indexed).toBe(50);
  });

  test('D3: of a range without rows ends at exactly 100', async () => {
    const status = await worker.run(task({ start_id: 5, end_id: 5 }));
    expect(status).toMatchObject({ state: 'done', progress: 100, counts: { read: 0, indexed: 0 } });
  });

  test('leaves out removed rows and deleted media and marks sensitive media', async () => {
    await fillImages(session, 10);
    await session.query('update public.temp_import_image set removed_from_source = true where id in (1, 2)');
    await session.query('insert into public.api_deletedimage (identifier) values ($1), ($2)', [
      identifierOf(2),
      identifierOf(3),
    ]);
    await session.query('insert into public.api_matureimage (identifier) values ($1)', [identifierOf(4)]);
    const { counts } = await worker.run(task({ start_id: 1, end_id: 10 }));
    expect(counts).toMatchObject({ read: 10, skipped: 3, removed: 2, deleted: 1, indexed: 7 });
    for (const id of [1, 2, 3]) expect(await readDocument(client, index, id)).toBeUndefined();
    expect(await readDocument(client, index, 4)).toMatchObject({ mature: true });
    expect(await readDocument(client, index, 5)).toMatchObject({ mature: false });
  });

  test('of a run goes by what the run has applied, not by later changes of the API', async () => {
    await fillImages(session, 5);
    await session.query('insert into public.api_deletedimage (identifier) values ($1)', [identifierOf(1)]);
    await recordApplied(session, 'run-7', 'api_deletedimage');
    await recordApplied(session, 'run-7', 'api_matureimage');
    await session.query('insert into public.api_deletedimage (identifier) values ($1)', [identifierOf(2)]);
    await session.query('insert into public.api_matureimage (identifier) values ($1)', [identifierOf(3)]);
    const { counts } = await worker.run(task({ start_id: 1, end_id: 5, run_id: 'run-7' }));
    expect(counts).toMatchObject({ read: 5, deleted: 1, indexed: 4 });
    expect(await readDocument(client, index, 3)).toMatchObject({ mature: false });
  });

  test('writes through an alias of the run, and fails instead of creating an index when it is gone', async () => {
    await fillImages(session, 3);
    const alias = uniqueName('image-writing');
    await client.indices.putAlias({ index, name: alias });
    const through = task({ target_index: alias, require_alias: true, start_id: 1, end_id: 3 });
    expect(await worker.run(through)).toMatchObject({ state: 'done', counts: { indexed: 3 } });
    await client.indices.deleteAlias({ index, name: alias });
    const answer = await worker.post(through);
    expect(answer).toMatchObject({ status: 404, body: { field: 'target_index' } });
    expect((await client.indices.exists({ index: alias })).body).toBe(false);
  });

  test('D5: names the permanent rejects with their reasons and fails above the limit, which is 0', async () => {
    await fillImages(session, 10);
    await refuseId(index, 4);
    const status = await worker.run(task({ start_id: 1, end_id: 10 }));
    expect(status).toMatchObject({ state: 'failed', active: false, error_code: 'REJECTS_OVER_LIMIT' });
    expect(status.error).toContain('4 (');
    expect(status.progress).toBeLessThan(100);
    expect(status.rejects).toEqual([{ id: '4', reason: expect.stringContaining('exception') as string }]);
  });

  test('D4, D5: goes on within the limit of rejects: nothing else is missing', async () => {
    await fillImages(session, 10);
    await refuseId(index, 4);
    const status = await worker.run(task({ start_id: 1, end_id: 10, rejects_max: 1 }));
    expect(status).toMatchObject({ state: 'done', counts: { read: 10, indexed: 9, rejected: 1 } });
    expect(status.rejects).toHaveLength(1);
    expect(await countDocuments(client, index)).toBe(9);
  });

  test('counts the dates that the search engine cannot hold and indexes their rows without them', async () => {
    await fillImages(session, 4);
    await session.query(`update public.temp_import_image set created_on = 'infinity' where id = 1`);
    await session.query(`update public.temp_import_image set created_on = '0044-03-15 BC' where id = 2`);
    await session.query(`update public.temp_import_image set created_on = '20240-01-01' where id = 3`);
    const { counts } = await worker.run(task({ start_id: 1, end_id: 4 }));
    expect(counts).toMatchObject({ indexed: 4, datesLeftOut: 3 });
    expect(await readDocument(client, index, 1)).not.toHaveProperty('created_on');
  });

  test('D8: of the same id is the same task, also when both are asked for at once', async () => {
    await fillImages(session, 10);
    const body = task({ start_id: 1, end_id: 10, task_id: 'slice-1' });
    const answers = await Promise.all([worker.post(body), worker.call('POST', '/task', body)]);
    expect(answers.map(({ status, body: { task_id: id } }) => [status, id])).toEqual([
      [202, 'slice-1'],
      [202, 'slice-1'],
    ]);
    expect(answers[0]?.body['status_check']).toBe(`${worker.url}/task/slice-1`);
    await worker.waitFor('slice-1', ({ active }) => !active);
    expect((await worker.post(body)).status).toBe(202);
    const list = (await worker.call('GET', '/task')).body as unknown as { task_id: string }[];
    expect(list.filter(({ task_id: id }) => id === 'slice-1')).toHaveLength(1);
    expect(await worker.post({ ...body, end_id: 11 })).toMatchObject({
      status: 409,
      body: { field: 'task_id' },
    });
  });
});

/** Makes the engine refuse the document of one row: its title does not fit into the index' mapping. */
async function refuseId(target: string, id: number): Promise<void> {
  await client.indices.delete({ index: target });
  await client.indices.create({
    index: target,
    body: { mappings: { dynamic: false, properties: { title: { type: 'keyword' } } } },
  });
  // Lucene refuses terms of more than 32,766 bytes.
  await session.query(`update public.temp_import_image set title = repeat('x', 40000) where id = $1`, [id]);
}

describe('the interface', () => {
  test('tells health, version and the digests of the document builders', async () => {
    const { status, body } = await worker.call('GET', '/healthcheck');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', version: expect.stringMatching(/^\d+\./) as string });
    const { image } = body['documentDigests'] as Record<string, string>;
    expect(image).toHaveLength(documentDigest(imageDocument).length);
  });

  test.each([
    ['model_name', { model_name: undefined }],
    ['model_name', { model_name: 'constructor' }],
    ['model_name', { model_name: 7 }],
    ['table_name', { table_name: undefined }],
    ['table_name', { table_name: 'pg_authid' }],
    ['table_name', { table_name: 'other.temp_import_image' }],
    ['table_name', { table_name: 'temp_import_image; drop table image' }],
    ['target_index', { target_index: undefined }],
    ['target_index', { target_index: '' }],
    ['target_index', { target_index: 'image' }],
    ['target_index', { target_index: 'image-filtered' }],
    ['target_index', { target_index: 'image-*' }],
    ['target_index', { target_index: '_all' }],
    ['target_index', { target_index: 'a,b' }],
    ['target_index', { target_index: '../x' }],
    ['start_id', { start_id: undefined }],
    ['start_id', { start_id: undefined, end_id: undefined }],
    ['start_id', { start_id: 'one' }],
    ['start_id', { start_id: 1.5 }],
    ['start_id', { start_id: null }],
    ['end_id', { end_id: undefined }],
    ['end_id', { end_id: 0 }],
    ['end_id', { end_id: '9223372036854775808' }],
    ['start_block', { start_block: 0, end_block: 9 }],
    ['start_block', { start_id: undefined, end_id: undefined, end_block: 9 }],
    ['end_block', { start_id: undefined, end_id: undefined, start_block: 9 }],
    ['end_block', { start_id: undefined, end_id: undefined, start_block: 9, end_block: 9 }],
    ['end_block', { start_id: undefined, end_id: undefined, start_block: 0, end_block: 2 ** 32 }],
    ['start_block', { start_id: undefined, end_id: undefined, start_block: -1, end_block: 2 }],
    ['rejects_max', { rejects_max: -1 }],
    ['require_alias', { require_alias: 'yes' }],
    ['target_index', { require_alias: true }],
    ['task_id', { task_id: '../healthcheck' }],
    ['run_id', { run_id: '' }],
    ['concurrency', { concurrency: 3 }],
  ])('D7: answers 400 that names %s for %j, and starts nothing', async (field, changes) => {
    const before = (await worker.call('GET', '/task')).body as unknown as unknown[];
    const { status, body } = await worker.post(task({ start_id: 1, end_id: 10, ...changes }));
    expect([status, body['field']]).toEqual([400, field]);
    expect(body['message']).toContain(field);
    expect(body['reason']).toMatch(/\w/);
    const after = (await worker.call('GET', '/task')).body as unknown as unknown[];
    expect(after).toHaveLength(before.length);
  });

  test('answers 404 for a missing index, task or route', async () => {
    const missing = task({ target_index: 'image-missing', start_id: 1, end_id: 2 });
    expect(await worker.post(missing)).toMatchObject({ status: 404, body: { field: 'target_index' } });
    for (const [method, path] of [
      ['GET', '/task/none'],
      ['DELETE', '/task/none'],
      ['GET', '/nothing'],
    ] as const) {
      const { status, body } = await worker.call(method, path);
      expect([status, typeof body['message']]).toEqual([404, 'string']);
    }
  });

  test('answers 404 for a missing table and 400 for a missing column', async () => {
    await session.query('alter table public.temp_import_image rename to hidden');
    try {
      const answer = await worker.post(task({ start_id: 1, end_id: 2 }));
      expect(answer).toMatchObject({ status: 404, body: { field: 'table_name' } });
    } finally {
      await session.query('alter table public.hidden rename to temp_import_image');
    }
    await session.query('alter table public.temp_import_image rename width to breadth');
    try {
      const answer = await worker.post(task({ start_id: 1, end_id: 2 }));
      expect(answer).toMatchObject({ status: 400, body: { field: 'table_name' } });
      expect(answer.body['message']).toContain('width');
    } finally {
      await session.query('alter table public.temp_import_image rename breadth to width');
    }
  });

  test.each([
    ['{"model_name":', 'application/json', 400],
    ['[]', 'application/json', 400],
    ['null', 'application/json', 400],
    ['{"model_name":"image"}', 'text/plain', 415],
    [`{"model_name":"${'x'.repeat(70_000)}"}`, 'application/json', 413],
  ])('refuses a body that is no task (case %#)', async (body, type, status) => {
    const answer = await fetch(`${worker.url}/reindexing_task`, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toHaveProperty('message');
  });
});
