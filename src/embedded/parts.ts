import { chmod, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FreshetError, messageOf } from '../errors.js';
import type { SearchVersion } from './jdk.js';
import type { KeptProcess, ServerUser } from './keptProcess.js';
import { openPartFolder, type PartFolder } from './partFolder.js';
import { lockFolder, removePartsFile, writePartsFile, type PartsUrls } from './partsFile.js';
import { findPostgresBinaries } from './postgresBinaries.js';
import { startPostgres, type PostgresServer } from './postgresServer.js';
import { findSearchProgram, startSearch, type SearchProgram } from './searchServer.js';
import { findServerUser } from './serverUser.js';

export { findFolderOwner, findRunningParts, type PartsUrls } from './partsFile.js';
export type { SearchVersion } from './jdk.js';

export interface PartsOptions {
  /** Where data is kept between starts. Null = a temporary folder, removed at the end. */
  readonly folder: string | null;
  /** Default true. */
  readonly search?: boolean;
  /** Default: the newest that a JDK of this machine runs. */
  readonly searchVersion?: SearchVersion;
  /** Default 1,024. */
  readonly searchHeapMb?: number;
  /** Receives a line at every step that takes time. */
  readonly report?: (line: string) => void;
}

/** Running servers: a catalog, an API database with the state database beside it, a search engine. */
export interface EmbeddedParts extends PartsUrls {
  readonly folder: string;
  /** Stops the servers cleanly and removes a temporary folder. Calling it again is harmless. */
  stop(): Promise<void>;
}

interface OpenedFolder {
  readonly path: string;
  readonly temporary: boolean;
  /** Gives a named folder back, removes a temporary one. */
  close(): Promise<void>;
}

interface StartedServers {
  readonly urls: PartsUrls;
  readonly processes: readonly KeptProcess[];
}

const searchHeapMbDefault = 1_024;
const searchFolderName = 'search';

/**
 * Starts real servers for `local`, the demo and the tests: two Postgres clusters and one OpenSearch node, on free ports of 127.0.0.1. None of
 * them outlives this process, however it ends. Works as root (Postgres then runs as `nobody`) and as any other user.
 *
 * Throws EMBEDDED_FOLDER_IN_USE, EMBEDDED_FOLDER_UNUSABLE, EMBEDDED_POSTGRES_MISSING, EMBEDDED_USER_MISSING, EMBEDDED_PART_FAILED, JDK_MISSING,
 * MAVEN_MISSING, MAVEN_FAILED, SEARCH_JARS_ALTERED; nothing runs then.
 */
export async function startParts(options: PartsOptions): Promise<EmbeddedParts> {
  const user = await findServerUser();
  const program = await findProgram(options);
  const folder = await openFolder(options.folder);
  try {
    const { urls, processes } = await startServers(folder, user, program, options);
    if (!folder.temporary) await writePartsFile(folder.path, urls);
    let stopped: Promise<void> | null = null;
    const stop = () => (stopped ??= stopServers(folder, processes));
    return { ...urls, folder: folder.path, stop };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** What the search engine is started from; null = none is wanted. */
async function findProgram({
  folder,
  search,
  searchVersion,
  report,
}: PartsOptions): Promise<SearchProgram | null> {
  if (search === false) return null;
  const own = folder === null ? null : join(resolve(folder), searchFolderName);
  return findSearchProgram(own, searchVersion, report ?? (() => undefined));
}

async function startServers(
  folder: OpenedFolder,
  user: ServerUser | null,
  program: SearchProgram | null,
  options: PartsOptions,
): Promise<StartedServers> {
  const report = options.report ?? (() => undefined);
  const catalog = startDatabase({ folder, user, report, name: 'catalog', databases: ['catalog'] });
  const api = startDatabase({ folder, user, report, name: 'api', databases: ['openverse', 'freshet'] });
  const search = program === null ? Promise.resolve(null) : startEngine(folder, program, options, report);
  const results = await Promise.allSettled([catalog, api, search]);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await Promise.all(running.map(async (server) => server?.process.stop()));
    throw failure.reason;
  }
  const [catalogServer, apiServer, engine] = [await catalog, await api, await search];
  return {
    urls: {
      catalogUrl: catalogServer.urlOf('catalog'),
      apiUrl: apiServer.urlOf('openverse'),
      stateUrl: apiServer.urlOf('freshet'),
      searchUrl: engine?.url ?? null,
    },
    processes: [catalogServer, apiServer, ...(engine ? [engine] : [])].map((server) => server.process),
  };
}

async function startDatabase(options: {
  readonly folder: OpenedFolder;
  readonly user: ServerUser | null;
  readonly report: (line: string) => void;
  readonly name: 'catalog' | 'api';
  readonly databases: readonly string[];
}): Promise<PostgresServer> {
  const { folder, user, name, databases, report } = options;
  const called = name === 'catalog' ? 'catalog' : 'API database';
  const binaries = await findPostgresBinaries(user);
  const part = await openPart(folder, name, called, user);
  const server = await startPostgres({ part, binaries, user, databases, durable: !folder.temporary });
  report(`Postgres for the ${called} is up`);
  return server;
}

async function startEngine(
  folder: OpenedFolder,
  program: SearchProgram,
  options: PartsOptions,
  report: (line: string) => void,
) {
  const part = await openPart(folder, searchFolderName, 'search engine', null);
  const heapMb = options.searchHeapMb ?? searchHeapMbDefault;
  const server = await startSearch({ part, program, heapMb });
  report(`OpenSearch ${server.version} is up`);
  return server;
}

async function openPart(
  folder: OpenedFolder,
  name: string,
  called: string,
  user: ServerUser | null,
): Promise<PartFolder> {
  const { path, temporary } = folder;
  return openPartFolder({ folder: path, name, called, temporary, user });
}

async function openFolder(named: string | null): Promise<OpenedFolder> {
  try {
    return named === null ? await openTemporaryFolder() : await openNamedFolder(resolve(named));
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw new FreshetError(
      'EMBEDDED_FOLDER_UNUSABLE',
      `The folder ${named ?? tmpdir()} cannot hold the embedded parts: ${messageOf(error)}`,
      { folder: named ?? tmpdir() },
      { cause: error },
    );
  }
}

async function openTemporaryFolder(): Promise<OpenedFolder> {
  const path = await mkdtemp(join(await realpath(tmpdir()), 'freshet-'));
  // The server's user goes through it into its own folder; that one is closed to others.
  await chmod(path, 0o711);
  return { path, temporary: true, close: () => removeTemporaryFolder(path) };
}

async function openNamedFolder(path: string): Promise<OpenedFolder> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  return { path, temporary: false, close: await lockFolder(path) };
}

/** Below a folder that the server's user cannot reach, the data lies elsewhere and the part is a link to it. */
async function removeTemporaryFolder(path: string): Promise<void> {
  for (const name of ['catalog', 'api', 'search']) {
    const real = await realpath(join(path, name)).catch(() => null);
    if (real !== null) await rm(real, { recursive: true, force: true });
  }
  await rm(path, { recursive: true, force: true });
}

async function stopServers(folder: OpenedFolder, processes: readonly KeptProcess[]): Promise<void> {
  await removePartsFile(folder.path);
  await Promise.all(processes.map((process) => process.stop()));
  await folder.close();
}
