import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import envPaths from 'env-paths';
import { FreshetError } from '../errors.js';
import type { SearchVersion } from './jdk.js';
import { readLogTail, runKept } from './keptProcess.js';

/** The launcher, its settings, the list of jars and their SHA-256. */
export const searchAssets = fileURLToPath(new URL('./search/', import.meta.url));

/** File name → SHA-256 in hex. */
export type JarLock = Readonly<Record<string, string>>;

/**
 * The folder with the jars of OpenSearch `version`, every one checked against the lock. Fetched by Maven when it is missing (some 60 MB); a
 * later start needs neither Maven nor a network. Safe beside itself: fetched under another name, then renamed.
 * @param cache where jars are kept; the user's cache folder by default.
 */
export async function ensureJars(
  version: SearchVersion,
  report: (line: string) => void,
  cache: string = envPaths('freshet', { suffix: '' }).cache,
): Promise<string> {
  const folder = join(cache, `opensearch-${version}`);
  if (!(await exists(folder))) await fetchJars(version, folder, report);
  const lock = JSON.parse(await readFile(join(searchAssets, `lock-${version}.json`), 'utf8')) as JarLock;
  const differences = compareJars(lock, await hashJars(folder));
  if (differences.length === 0) return folder;
  throw new FreshetError(
    'SEARCH_JARS_ALTERED',
    `${differences.length} jars of OpenSearch ${version} are not those of the lock: ${differences.slice(0, 5).join(', ')}`,
    { folder },
  );
}

/** Names of files that are missing, additional or different. */
export function compareJars(lock: JarLock, found: JarLock): string[] {
  const names = new Set([...Object.keys(lock), ...Object.keys(found)]);
  return [...names].filter((name) => lock[name] !== found[name]).sort();
}

async function hashJars(folder: string): Promise<JarLock> {
  const names = await readdir(folder);
  const hashes = await Promise.all(names.map((name) => hashFile(join(folder, name))));
  return Object.fromEntries(names.map((name, index) => [name, hashes[index] ?? '']));
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function fetchJars(
  version: SearchVersion,
  folder: string,
  report: (line: string) => void,
): Promise<void> {
  const maven = await findMaven(process.env);
  report(`Fetching OpenSearch ${version} (Apache-2.0, about 60 MB, once) with Maven into ${folder}`);
  const part = `${folder}.part-${randomUUID()}`;
  await mkdir(part, { recursive: true });
  try {
    await runMaven(maven, version, part);
    await rename(part, folder);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    // A start beside this one was faster.
    if (!(await exists(folder))) throw error;
  }
}

async function runMaven(maven: string, version: SearchVersion, output: string): Promise<void> {
  const logFile = join(dirname(output), `maven-${version}.log`);
  await rm(logFile, { force: true });
  const exit = await runKept({
    command: maven,
    args: [
      ...['-q', '-B', '-ntp', '-f', join(searchAssets, 'pom.xml'), `-Dos=${version}`],
      ...['dependency:copy-dependencies', `-DoutputDirectory=${output}`],
    ],
    env: process.env,
    user: null,
    logFile,
    stopSignals: [
      { signal: 'SIGTERM', limitMs: 5_000 },
      { signal: 'SIGKILL', limitMs: 5_000 },
    ],
    holdsStdin: false,
    removeWhenOrphaned: [output],
    removeEmptyWhenOrphaned: null,
  });
  if (exit.code === 0) return;
  throw new FreshetError(
    'MAVEN_FAILED',
    `Maven could not fetch OpenSearch ${version} (${exit.code ?? exit.signal}):\n${await readLogTail(logFile)}`,
    { log: logFile },
  );
}

async function findMaven(environment: NodeJS.ProcessEnv): Promise<string> {
  const home = environment['MAVEN_HOME'];
  const folders = [...(home ? [join(home, 'bin')] : []), ...(environment['PATH'] ?? '').split(delimiter)];
  for (const folder of folders.filter(Boolean)) {
    const path = join(folder, 'mvn');
    if (await exists(path)) return path;
  }
  throw new FreshetError(
    'MAVEN_MISSING',
    'The embedded search engine is not in the cache yet, and there is no Maven (mvn) on the PATH to fetch it.',
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
