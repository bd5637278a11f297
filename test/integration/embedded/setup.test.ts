import { expect, inject, test } from 'vitest';
import { withSession } from '../../../src/postgres/session.js';
import { createDatabase, uniqueName } from '../../setup/databases.js';

const parts = inject('parts');

test('a test run has two Postgres 18 servers and a search engine that answer', async () => {
  for (const url of [parts.catalogUrl, parts.apiUrl]) {
    const version = await withSession(url, { applicationName: 'test', called: 'server' }, async (session) => {
      const { rows } = await session.query<{ version: string; zone: string; encoding: string }>(
        `select current_setting('server_version') as version, current_setting('timezone') as zone, current_setting('server_encoding') as encoding`,
      );
      return rows[0];
    });
    expect(version).toEqual({
      version: expect.stringMatching(/^18/) as string,
      zone: 'UTC',
      encoding: 'UTF8',
    });
  }
  expect((await fetch(parts.searchUrl)).status).toBe(200);
});

test('a database of a test starts as a copy of its template and is dropped with its sessions open', async () => {
  const options = { applicationName: 'test', called: 'server' };
  const template = await createDatabase(parts.catalogUrl);
  await withSession(template.url, options, async (session) => {
    await session.query('create table public.marked as select 7 as value');
  });
  const copy = await createDatabase(parts.catalogUrl, { template: template.name });
  const value = await withSession(copy.url, options, async (session) => {
    const { rows } = await session.query<{ value: number }>('select value from public.marked');
    await copy.drop();
    return rows[0]?.value;
  });
  expect(value).toBe(7);
  await template.drop();
});

test('an index exists only after it was created: a document for a missing one is refused', async () => {
  const index = uniqueName('missing');
  const response = await fetch(`${parts.searchUrl}/${index}/_doc/1`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
  });
  expect(response.status).toBe(404);
});

test('the tasks of the engine keep their result: a reindex that does not wait can be asked for later', async () => {
  const [source, target] = [uniqueName('source'), uniqueName('target')];
  const send = async (method: string, path: string, body: unknown = {}) => {
    const response = await fetch(`${parts.searchUrl}/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await response.json()) as { task?: string; completed?: boolean };
  };
  for (const index of [source, target]) await send('PUT', index);
  await send('PUT', `${source}/_doc/1?refresh=true`, { a: 1 });
  const { task } = await send('POST', '_reindex?wait_for_completion=false', {
    source: { index: source },
    dest: { index: target },
  });
  const response = await fetch(
    `${parts.searchUrl}/_tasks/${task ?? ''}?wait_for_completion=true&timeout=30s`,
  );
  expect(await response.json()).toMatchObject({ completed: true, task: { status: { created: 1 } } });
});
