import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSession, withSession, type Session } from '../../src/postgres/session.js';
import { createApiTables, createCatalogTables } from '../../src/sample/index.js';
import { createDatabase, uniqueName, type TestDatabase } from './databases.js';
import type { TestParts } from './parts.js';

const command = fileURLToPath(new URL('../../bin/freshet.js', import.meta.url));
const publicApi = new URL('../../dist/index.js', import.meta.url).href;

/** How a command ended. */
export interface CommandOutcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LocalOptions {
  /** Laid over the Openverse preset. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** Environment variables of every command. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default true: catalog and API tables as the specification has them, empty. */
  readonly tables?: boolean;
  /** Database templates to start from, so that a test need not fill its own. */
  readonly templates?: { readonly catalog?: string; readonly api?: string; readonly state?: string };
}

/**
 * An own environment `local` of one test, on the run's servers: own databases, own aliases, own configuration file; commands run as real
 * processes of the built product.
 */
export class LocalEnvironment {
  readonly aliases: { readonly image: string; readonly audio: string };
  private readonly children = new Set<ChildProcess>();

  private constructor(
    readonly folder: string,
    readonly catalog: TestDatabase,
    readonly api: TestDatabase,
    readonly state: TestDatabase,
    readonly searchUrl: string,
    private readonly prefix: string,
    private readonly options: LocalOptions,
  ) {
    this.aliases = { image: `${prefix}_image`, audio: `${prefix}_audio` };
  }

  /** @param parts `stateUrl`: a server of its own for the state database; default: that of the API database. */
  static async create(
    parts: TestParts & { readonly stateUrl?: string },
    options: LocalOptions = {},
  ): Promise<LocalEnvironment> {
    const { catalog: catalogTemplate, api: apiTemplate, state: stateTemplate } = options.templates ?? {};
    const template = (name: string | undefined) => (name === undefined ? {} : { template: name });
    const [catalog, api, state] = await Promise.all([
      createDatabase(parts.catalogUrl, template(catalogTemplate)),
      createDatabase(parts.apiUrl, template(apiTemplate)),
      createDatabase(parts.stateUrl ?? parts.apiUrl, template(stateTemplate)),
    ]);
    const folder = await mkdtemp(join(tmpdir(), 'freshet-test-'));
    const environment = new LocalEnvironment(
      folder,
      catalog,
      api,
      state,
      parts.searchUrl,
      uniqueName('t'),
      options,
    );
    await environment.writeConfig(options.overrides ?? {});
    if (options.tables !== false) {
      await environment.withCatalog(createCatalogTables);
      await environment.withApi(createApiTables);
    }
    return environment;
  }

  /** Writes the configuration anew: the Openverse preset with this test's aliases, and `overrides` over it. */
  async writeConfig(overrides: Readonly<Record<string, unknown>>): Promise<void> {
    const index = (alias: string) => ({ index: { alias, filteredAlias: `${alias}-filtered` } });
    const media = { image: index(this.aliases.image), audio: index(this.aliases.audio) };
    const text = `import { defineConfig, openverse } from ${JSON.stringify(publicApi)};
const aliases = openverse({ media: ${JSON.stringify(media)} });
const merge = (a, b) => Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
  const both = [a[key], b[key]].every((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
  return [key, both ? merge(a[key], b[key]) : key in b ? b[key] : a[key]];
}));
export default defineConfig(merge(aliases, ${JSON.stringify(overrides)}));
`;
    await writeFile(join(this.folder, 'freshet.config.mjs'), text);
  }

  /** Writes a file beside the configuration. */
  async writeFile(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }

  /** Environment variables that a command of this environment sees. */
  get env(): Record<string, string> {
    return {
      ...(process.env as Record<string, string>),
      NO_COLOR: '1',
      FRESHET_CATALOG_URL: this.catalog.url,
      FRESHET_API_URL: this.api.url,
      FRESHET_STATE_URL: this.state.url,
      FRESHET_SEARCH_URL: this.searchUrl,
      ...this.options.env,
    };
  }

  /** Starts a command. */
  spawn(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [command, ...args], {
      cwd: this.folder,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandOutcome> {
    return outcomeOf(this.spawn(args, env));
  }

  withCatalog<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return withSession(this.catalog.url, { applicationName: 'test', called: 'catalog' }, work);
  }

  withApi<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return withSession(this.api.url, { applicationName: 'test', called: 'API database' }, work);
  }

  withState<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return withSession(this.state.url, { applicationName: 'test', called: 'state database' }, work);
  }

  openApi(): Promise<Session> {
    return openSession(this.api.url, { applicationName: 'test', called: 'API database' });
  }

  /** A request to the search engine; the parsed answer. */
  async search<T>(path: string, init?: { method?: string; body?: unknown }): Promise<T> {
    const answer = await fetch(`${this.searchUrl}/${path}`, {
      method: init?.method ?? 'GET',
      headers: { 'content-type': 'application/json' },
      ...(init?.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    return (await answer.json()) as T;
  }

  /** Every document that readers find through an alias, by id. */
  async documents(alias: string): Promise<Map<string, Record<string, unknown>>> {
    const found = await this.search<{
      hits: { hits: { _id: string; _source: Record<string, unknown> }[] };
    }>(`${alias}/_search`, { method: 'POST', body: { size: 10_000, query: { match_all: {} } } });
    return new Map(found.hits.hits.map((hit) => [hit._id, hit._source]));
  }

  /** The indexes of this environment, and what points at them. */
  async indexes(): Promise<Record<string, string[]>> {
    const found = await this.search<Record<string, { aliases: Record<string, unknown> }>>(
      `${this.prefix}_*/_alias`,
    );
    return Object.fromEntries(
      Object.entries(found).map(([name, { aliases }]) => [name, Object.keys(aliases)]),
    );
  }

  /** Kills the commands that still run. */
  async endCommands(): Promise<void> {
    for (const child of this.children) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  /** Ends what still runs and removes everything. */
  async drop(): Promise<void> {
    await this.endCommands();
    await fetch(`${this.searchUrl}/${Object.keys(await this.indexes()).join(',') || 'none'}`, {
      method: 'DELETE',
    });
    await Promise.all([this.catalog.drop(), this.api.drop(), this.state.drop()]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits until a command has ended. */
export async function outcomeOf(child: ChildProcess): Promise<CommandOutcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status, signal, stdout, stderr };
}
