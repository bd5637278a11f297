import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { findJdks } from '../../../src/embedded/jdk.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { expectError, expectUntouched, footprintOf, type Footprint } from './untouched.js';

const refreshImage = ['refresh', 'local', 'image'] as const;

/** A port of this machine where nothing answers. */
async function findDeadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function withPort(url: string, port: number): string {
  const other = new URL(url);
  other.port = String(port);
  return other.href;
}

function withPassword(url: string, password: string): string {
  const other = new URL(url);
  other.password = encodeURIComponent(password);
  return other.href;
}

describe('servers that cannot be used', () => {
  let local: LocalEnvironment;
  let before: Footprint;
  let port: number;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    expect((await local.run(refreshImage)).status).toBe(0);
    before = await footprintOf(local);
    port = await findDeadPort();
  });
  afterAll(() => local.drop());

  it.each([
    ['FRESHET_CATALOG_URL', 'catalog'],
    ['FRESHET_API_URL', 'API database'],
    ['FRESHET_STATE_URL', 'state database'],
  ] as const)('a database that cannot be reached is named (%s)', async (variable, called) => {
    const outcome = await local.run(refreshImage, { [variable]: withPort(local.env[variable] ?? '', port) });
    expectError(outcome, {
      status: 1,
      code: 'DATABASE_UNREACHABLE',
      says: new RegExp(`The ${called} can\\S+ be \\w+: .*ECONNREFUSED`),
    });
    await expectUntouched(local, before);
  });

  it.each([
    ['FRESHET_CATALOG_URL', 'catalog'],
    ['FRESHET_API_URL', 'API database'],
    ['FRESHET_STATE_URL', 'state database'],
  ] as const)('a wrong password is an error that does not show it (%s)', async (variable, called) => {
    const password = `wrong-'"\\%@-sesame`;
    const outcome = await local.run(refreshImage, {
      [variable]: withPassword(local.env[variable] ?? '', password),
      FRESHET_DEBUG: '1',
    });
    expectError(outcome, {
      status: 1,
      code: 'DATABASE_UNREACHABLE',
      says: new RegExp(`The ${called} .*password authentication failed`),
    });
    expect(outcome.stdout + outcome.stderr).not.toContain('sesame');
    await expectUntouched(local, before);
  });

  it('an address that resolves to two is unreachable with both reasons, not with an empty one', async () => {
    const url = new URL(withPort(local.catalog.url, port));
    url.hostname = 'localhost';
    const outcome = await local.run(refreshImage, { FRESHET_CATALOG_URL: url.href });
    expectError(outcome, { status: 1, code: 'DATABASE_UNREACHABLE', says: /reached: .*ECONNREFUSED/ });
  });

  it('a search cluster that cannot be reached is an error before anything is copied', async () => {
    const outcome = await local.run(refreshImage, { FRESHET_SEARCH_URL: `http://127.0.0.1:${port}` });
    expectError(outcome, {
      status: 1,
      code: 'SEARCH_UNREACHABLE',
      says: new RegExp(`127.0.0.1:${port} is not reachable`),
    });
    await expectUntouched(local, before);
  });

  it('a server that is no search cluster is not taken for one', async () => {
    const server = createServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address() as { port: number };
    try {
      const outcome = await local.run(refreshImage, {
        FRESHET_SEARCH_URL: `http://127.0.0.1:${address.port}`,
      });
      expectError(outcome, { status: 64, code: 'SEARCH_VERSION_UNSUPPORTED', says: /neither as OpenSearch/ });
    } finally {
      server.close();
    }
    await expectUntouched(local, before);
  });

  it('the same URL for source and target is an error of the configuration', async () => {
    const outcome = await local.run(refreshImage, { FRESHET_CATALOG_URL: local.api.url });
    expectError(outcome, {
      status: 64,
      code: 'CONFIGURATION_INVALID',
      says: /source and target must differ/,
    });
    await expectUntouched(local, before);
  });

  it('one database as source and target is found however its address is spelled', async () => {
    const url = new URL(local.api.url);
    const spelled = local.api.url.replace(`@${url.hostname}:`, '@127.1:');
    const outcome = await local.run(refreshImage, { FRESHET_CATALOG_URL: spelled });
    expectError(outcome, {
      status: 64,
      code: 'SAME_DATABASE',
      says: new RegExp(`same database: ${local.api.name}`),
    });
    await expectUntouched(local, before);
  });
});

describe('an embedded search engine that cannot be started', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
  });
  afterAll(() => local.drop());

  /** No programs, no caches: what a machine has on which nothing was installed. */
  const bare = async (): Promise<Record<string, string>> => {
    const empty = join(local.folder, 'empty');
    await mkdir(empty, { recursive: true });
    return { PATH: empty, JAVA_HOME: '', MAVEN_HOME: '', XDG_CACHE_HOME: empty, FRESHET_SEARCH_URL: '' };
  };

  it('says which JDK to install, before any server is started', async () => {
    const env = { ...(await bare()), FRESHET_JAVA_HOME: join(local.folder, 'no-jdk') };
    const outcome = await local.run(refreshImage, env);
    expectError(outcome, { status: 64, code: 'JDK_MISSING', says: /needs Java 17 or newer; found: none/ });
    expect(outcome.stderr).toMatch(/Install a JDK, 21 or newer[\s\S]*FRESHET_SEARCH_URL/);
    expect(await readdir(local.folder)).not.toContain('.freshet');
  });

  it('says that Maven is missing, before any server is started', async () => {
    const [jdk] = await findJdks(process.env);
    const home = jdk?.java.replace(/\/bin\/java$/, '') ?? '';
    const outcome = await local.run(refreshImage, { ...(await bare()), FRESHET_JAVA_HOME: home });
    expectError(outcome, { status: 64, code: 'MAVEN_MISSING', says: /no Maven \(mvn\) on the PATH/ });
    expect(outcome.stderr).toMatch(/Install Maven 3\.8 or newer/);
    expect(await readdir(local.folder)).not.toContain('.freshet');
  });
});

describe('an environment whose runs another process executes', () => {
  let local: LocalEnvironment;
  let env: Record<string, string>;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    const terms = join(local.folder, 'terms.txt');
    await writeFile(terms, 'frozen\n');
    env = {
      FRESHET_API_URL: '',
      FRESHET_SEARCH_URL: '',
      FRESHET_STAGING_API_URL: local.api.url,
      FRESHET_STAGING_SEARCH_URL: local.searchUrl,
      FRESHET_SENSITIVE_TERMS: terms,
    };
  });
  afterAll(() => local.drop());

  const runs = () =>
    local.withState(async (session) => {
      const { rows } = await session.query<{ id: string; state: string }>(
        'select id, state from freshet.runs order by created_at',
      );
      return rows;
    });

  it('without an orchestrator the command says so, ends, and keeps the run, which begins when one is up', async () => {
    const before = await footprintOf(local);
    const outcome = await local.run(['refresh', 'staging', 'image', '--index-suffix', 'kept'], env);
    expectError(outcome, { status: 1, code: 'ORCHESTRATOR_MISSING', says: /run \S+ waits for one/ });
    expect(outcome.stderr).toMatch(/waiting: no orchestrator is up on this state database \(`freshet up`\)/);
    expect(await footprintOf(local)).toEqual(before);
    const [kept] = await runs();
    expect(kept?.state).toBe('queued');

    const again = await local.run(['refresh', 'staging', 'image'], env);
    expectError(again, { status: 64, code: 'ALREADY_RUNNING', says: new RegExp(kept?.id ?? 'no run') });
    expect(await runs()).toHaveLength(1);

    const up = local.spawn(['up'], env);
    await expect.poll(async () => (await runs())[0]?.state, { timeout: 60_000 }).toBe('succeeded');
    const followed = await local.run(['refresh', 'staging', 'image', '--json'], env);
    expect(followed.status).toBe(0);
    expect((JSON.parse(followed.stdout) as { run: { state: string } }).run.state).toBe('succeeded');
    up.kill('SIGINT');
    const [status] = (await once(up, 'exit')) as [number | null];
    expect(status).toBe(0);
  });
});
