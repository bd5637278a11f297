import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../errors.js';
import { embeddedPortTriesMax, embeddedSearchStartMs, embeddedStopMs } from '../limits.js';
import { findFreePort } from './freePort.js';
import { chooseJdk, searchVersions, type Jdk, type SearchVersion } from './jdk.js';
import { readLogTail, startKept, type KeptProcess } from './keptProcess.js';
import type { PartFolder } from './partFolder.js';
import { ensureJars, searchAssets } from './searchJars.js';

/** One OpenSearch node of ours that answers. */
export interface SearchServer {
  readonly process: KeptProcess;
  readonly url: string;
  readonly version: SearchVersion;
}

/** What a node is started from. */
export interface SearchProgram {
  readonly jdk: Jdk;
  readonly version: SearchVersion;
  /** Folder of the jars. */
  readonly jars: string;
}

export interface SearchOptions {
  readonly part: PartFolder;
  readonly program: SearchProgram;
  readonly heapMb: number;
  /** Of 127.0.0.1. Default: any free one, another at every start. */
  readonly port?: number;
}

/**
 * Finds a JDK and the jars, which the first start fetches; before any server is started, so that what is missing is said with nothing to
 * undo. Throws JDK_MISSING, MAVEN_MISSING, MAVEN_FAILED, SEARCH_JARS_ALTERED, EMBEDDED_FOLDER_UNUSABLE.
 * @param folder the node's folder, which need not exist; null = a new one.
 * @param forced undefined = what the folder was made with, else the newest that a JDK of this machine runs.
 */
export async function findSearchProgram(
  folder: string | null,
  forced: SearchVersion | undefined,
  report: (line: string) => void,
): Promise<SearchProgram> {
  const wanted = folder === null ? forced : await chooseForFolder(folder, forced);
  const { jdk, version } = await chooseJdk(wanted);
  return { jdk, version, jars: await ensureJars(version, report) };
}

/** Starts one OpenSearch node on a port of 127.0.0.1. */
export async function startSearch(options: SearchOptions): Promise<SearchServer> {
  const { part } = options;
  const { jdk, version, jars } = options.program;
  await prepareHome(part.path, version);
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await findFreePort());
    const process = await startServer(options, { jdk, jars, port });
    const url = `http://127.0.0.1:${port}`;
    if (await waitUntilHealthy(process, url)) return { process, url, version };
    await process.stop();
    const tail = await readLogTail(part.logFile);
    if (tail.includes('BindHttpException') && tries < embeddedPortTriesMax) continue;
    throw new FreshetError(
      'EMBEDDED_PART_FAILED',
      `The embedded search engine (OpenSearch ${version}, Java ${jdk.version}) did not come up. Its log ends with:\n${tail}`,
      { log: part.logFile },
    );
  }
}

/** The data of a newer version cannot be read by an older one; an older folder is carried on with its own version where none is forced. */
async function chooseForFolder(
  folder: string,
  forced: SearchVersion | undefined,
): Promise<SearchVersion | undefined> {
  const text = await readFile(join(folder, 'version'), 'utf8').catch(() => null);
  const made = searchVersions.find((version) => version === text?.trim());
  if (made === undefined || forced === undefined) return forced ?? made;
  if (searchVersions.indexOf(forced) <= searchVersions.indexOf(made)) return forced;
  throw new FreshetError(
    'EMBEDDED_FOLDER_UNUSABLE',
    `The indexes in ${folder} were made by OpenSearch ${made}; ${forced} cannot read them.`,
    { folder },
  );
}

async function prepareHome(home: string, version: SearchVersion): Promise<void> {
  for (const folder of ['config', 'tmp', 'repo']) await mkdir(join(home, folder), { recursive: true });
  for (const file of ['opensearch.yml', 'log4j2.properties']) {
    await copyFile(join(searchAssets, file), join(home, 'config', file));
  }
  await writeFile(join(home, 'version'), `${version}\n`);
}

async function startServer(
  { part, heapMb }: SearchOptions,
  given: { jdk: Jdk; jars: string; port: number },
): Promise<KeptProcess> {
  const home = part.path;
  const settings = {
    'http.port': given.port,
    'transport.port': await findFreePort(),
    'node.name': 'embedded',
    'path.repo': join(home, 'repo'),
  };
  const process_ = await startKept({
    command: given.jdk.java,
    args: [
      ...javaArguments(given.jdk, home, heapMb),
      ...['-cp', join(given.jars, '*'), join(searchAssets, 'Launcher.java'), home],
      ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
    ],
    env: { PATH: process.env['PATH'], EXIT_WITH_PARENT: '1' },
    user: null,
    logFile: part.logFile,
    stopSignals: [
      { signal: 'SIGTERM', limitMs: embeddedStopMs },
      { signal: 'SIGKILL', limitMs: 5_000 },
    ],
    holdsStdin: true,
    removeWhenOrphaned: part.removeWhenOrphaned,
    removeEmptyWhenOrphaned: part.removeEmptyWhenOrphaned,
  });
  await part.recordKeeper(process_.keeperPid);
  return process_;
}

/**
 * G1 with an early start of its cycles: with the serial collector and a heap of 1 GB the engine's memory breaker answered 429 some 60
 * times in 20 loads (measured on 2 cores).
 */
function javaArguments(jdk: Jdk, home: string, heapMb: number): string[] {
  return [
    `-Xms${heapMb}m`,
    `-Xmx${heapMb}m`,
    '-XX:+UseG1GC',
    '-XX:G1ReservePercent=25',
    '-XX:InitiatingHeapOccupancyPercent=30',
    ...(jdk.hasVector ? ['--add-modules=jdk.incubator.vector'] : []),
    ...(jdk.version >= 21 ? ['--enable-native-access=ALL-UNNAMED'] : []),
    `-Djava.io.tmpdir=${join(home, 'tmp')}`,
    '-Djna.nosys=true',
    '-Dlog4j2.disable.jmx=true',
    '-Dlog4j.shutdownHookEnabled=false',
  ];
}

async function waitUntilHealthy(server: KeptProcess, url: string): Promise<boolean> {
  const deadline = Date.now() + embeddedSearchStartMs;
  while (server.exit() === null && Date.now() < deadline) {
    if (await answersSearch(url)) return true;
    await sleep(100);
  }
  return false;
}

/** Whether a search engine answers with a formed cluster. */
export async function answersSearch(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(2_000);
    const response = await fetch(`${url}/_cluster/health?timeout=1s`, { signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
