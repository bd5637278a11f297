import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findRunningParts, startParts, type EmbeddedParts } from '../../../src/embedded/parts.js';
import { identifyProcess, waitUntilGone } from '../../../src/embedded/processes.js';
import { withSession, type Session } from '../../../src/postgres/session.js';
import { listDescendants, startParent } from './parent.js';

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-test-'));
  await chmod(folder, 0o755);
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(options: { folder: string | null; search?: boolean }): Promise<EmbeddedParts> {
  const parts = await startParts({ search: false, searchHeapMb: 256, ...options });
  cleanUps.push(() => parts.stop());
  return parts;
}

async function query<T extends object>(url: string, statement: string): Promise<T[]> {
  return withSession(url, { applicationName: 'test', called: 'server' }, async (session: Session) => {
    return (await session.query<T>(statement)).rows;
  });
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function expectGone(pids: readonly number[]): Promise<void> {
  const gone = await Promise.all(pids.map(async (pid) => waitUntilGone(await identifyProcess(pid), 40_000)));
  expect(gone).toEqual(pids.map(() => true));
}

test('temporary parts answer, stop, and leave no folder and no process', async () => {
  const parts = await start({ folder: null });
  const rows = await query<{ name: string }>(
    parts.stateUrl,
    `select datname as name from pg_database where not datistemplate order by 1`,
  );
  expect(rows.map((row) => row.name)).toEqual(['freshet', 'openverse', 'postgres']);
  const pids = listDescendants(process.pid);
  await parts.stop();
  await parts.stop();
  expect(await exists(parts.folder)).toBe(false);
  await expectGone(pids.filter((pid) => pid !== process.pid));
});

test('a named folder keeps its data from one start to the next, and can be used by one process at a time', async () => {
  const folder = join(await makeFolder(), 'parts');
  const first = await start({ folder });
  await query(first.catalogUrl, 'create table public.kept as select 42 as value');
  expect((await stat(join(folder, 'parts.json'))).mode & 0o777).toBe(0o600);
  expect(await findRunningParts(folder)).toEqual({
    catalogUrl: first.catalogUrl,
    apiUrl: first.apiUrl,
    stateUrl: first.stateUrl,
    searchUrl: null,
  });
  await expect(startParts({ folder, search: false })).rejects.toMatchObject({
    code: 'EMBEDDED_FOLDER_IN_USE',
    message: expect.stringContaining(`process ${process.pid}`) as string,
  });
  await first.stop();
  expect(await findRunningParts(folder)).toBeNull();
  const second = await start({ folder });
  expect(await query(second.catalogUrl, 'select value from public.kept')).toEqual([{ value: 42 }]);
});

test('kill -9 of the process that started temporary parts ends every server, Postgres cleanly, and removes the data', async () => {
  const parent = await startParent({ search: true });
  const pids = listDescendants(parent.process.pid ?? 0);
  // Three keepers and three servers at least.
  expect(pids.length).toBeGreaterThan(6);
  const identities = await Promise.all(pids.map(identifyProcess));
  parent.process.kill('SIGKILL');
  const gone = await Promise.all(identities.map((identity) => waitUntilGone(identity, 40_000)));
  expect(gone).toEqual(pids.map(() => true));
  expect(await exists(parent.folder)).toBe(false);
});

test('a named folder whose process was killed with -9 starts again at once, with its data', async () => {
  const folder = join(await makeFolder(), 'parts');
  const parent = await startParent({ folder });
  await query(parent.catalogUrl, 'create table public.kept as select 42 as value');
  parent.process.kill('SIGKILL');
  await once(parent.process, 'exit');
  expect(await findRunningParts(folder)).toBeNull();
  const parts = await start({ folder });
  expect(await query(parts.catalogUrl, 'select value from public.kept')).toEqual([{ value: 42 }]);
  const log = await readFile(join(folder, 'catalog', 'server.log'), 'utf8');
  expect(log).toContain('received fast shutdown request');
  expect(log).not.toContain('was not properly shut down');
});

test('Ctrl-C in the terminal reaches the command alone, which then stops the servers in order', async () => {
  const folder = join(await makeFolder(), 'parts');
  const parent = await startParent({ folder });
  const pids = listDescendants(parent.process.pid ?? 0);
  process.kill(-(parent.process.pid ?? 0), 'SIGINT');
  const [code] = (await once(parent.process, 'exit')) as [number];
  expect(code).toBe(130);
  await expectGone(pids);
  const log = await readFile(join(folder, 'catalog', 'server.log'), 'utf8');
  expect(log).toContain('database system is shut down');
  expect(await exists(join(folder, 'parts.json'))).toBe(false);
});

test('an interrupted initdb is started over', async () => {
  const folder = await makeFolder();
  await mkdir(join(folder, 'catalog', 'data.unfinished'), { recursive: true });
  await writeFile(join(folder, 'catalog', 'data.unfinished', 'PG_VERSION'), '18\n');
  const parts = await start({ folder });
  expect(await query(parts.catalogUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('a folder that cannot be made is an error that names it', async () => {
  const file = join(await makeFolder(), 'file');
  await writeFile(file, '');
  await expect(startParts({ folder: join(file, 'parts') })).rejects.toMatchObject({
    code: 'EMBEDDED_FOLDER_UNUSABLE',
    message: expect.stringContaining(file) as string,
  });
});

const isRoot = process.getuid?.() === 0;

test.runIf(isRoot)('parts run as a user other than root', async () => {
  const uid = 65_534;
  const parent = await startParent({ uid });
  const [row] = await query<{ folder: string }>(
    parent.catalogUrl,
    `select current_setting('data_directory') as folder`,
  );
  expect((await stat(row?.folder ?? '')).uid).toBe(uid);
  const pids = listDescendants(parent.process.pid ?? 0);
  parent.process.kill('SIGINT');
  await expectGone(pids);
});

test.runIf(isRoot)(
  'root uses a folder that no other user can reach: the data lies elsewhere, behind a link',
  async () => {
    const closed = await makeFolder();
    await chmod(closed, 0o700);
    const folder = join(closed, 'parts');
    const first = await start({ folder });
    for (const name of ['catalog', 'api']) {
      const target = await readlink(join(folder, name));
      cleanUps.splice(1, 0, () => rm(target, { recursive: true, force: true }));
      expect(dirname(target)).not.toContain(closed);
    }
    await query(first.apiUrl, 'create table public.kept as select 42 as value');
    await first.stop();
    const second = await start({ folder });
    expect(await query(second.apiUrl, 'select value from public.kept')).toEqual([{ value: 42 }]);
  },
);
