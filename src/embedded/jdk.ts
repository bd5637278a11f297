import { execFile } from 'node:child_process';
import { readdir, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { FreshetError } from '../errors.js';

/** A Java development kit; a runtime alone cannot start the launcher, which Java compiles itself. */
export interface Jdk {
  readonly java: string;
  /** Major version. */
  readonly version: number;
  /** It has the vector module, which OpenSearch uses for speed. */
  readonly hasVector: boolean;
}

export const searchVersions = ['3.8.0', '2.19.6'] as const;
export type SearchVersion = (typeof searchVersions)[number];

const javaMin: Record<SearchVersion, number> = { '3.8.0': 21, '2.19.6': 17 };

/** The search engine's version and the newest JDK that runs it. Throws JDK_MISSING with what was found. */
export async function chooseJdk(
  wanted: SearchVersion | undefined,
): Promise<{ jdk: Jdk; version: SearchVersion }> {
  const jdks = await findJdks(process.env);
  const choice = chooseSearchVersion(jdks, wanted);
  if (choice) return choice;
  const found = jdks.length === 0 ? 'none' : jdks.map((jdk) => `${jdk.version} (${jdk.java})`).join(', ');
  const needed = wanted ? `OpenSearch ${wanted} needs Java ${javaMin[wanted]}` : 'OpenSearch needs Java 17';
  throw new FreshetError(
    'JDK_MISSING',
    `No JDK for the embedded search engine: ${needed} or newer; found: ${found}.`,
  );
}

/** Java 21 or newer runs 3.8.0, Java 17 runs 2.19.6; `wanted` forces one. Null when no JDK fits. */
export function chooseSearchVersion(
  jdks: readonly Jdk[],
  wanted: SearchVersion | undefined,
): { jdk: Jdk; version: SearchVersion } | null {
  const newest = [...jdks].sort((a, b) => b.version - a.version)[0];
  if (!newest) return null;
  const version = (wanted ? [wanted] : searchVersions).find(
    (candidate) => newest.version >= javaMin[candidate],
  );
  return version ? { jdk: newest, version } : null;
}

/** JDKs of FRESHET_JAVA_HOME (then only that one), JAVA_HOME, the PATH and /usr/lib/jvm. */
export async function findJdks(environment: NodeJS.ProcessEnv): Promise<Jdk[]> {
  const own = environment['FRESHET_JAVA_HOME'];
  const candidates = own ? [javaOf(own)] : await listCandidates(environment);
  const paths = await Promise.all(candidates.map((path) => realpath(path).catch(() => null)));
  const distinct = [...new Set(paths.filter((path) => path !== null))];
  return (await Promise.all(distinct.map(readJdk))).filter((jdk) => jdk !== null);
}

async function listCandidates(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const home = environment['JAVA_HOME'];
  const installed = await readdir('/usr/lib/jvm').catch(() => []);
  return [
    ...(home ? [javaOf(home)] : []),
    ...(environment['PATH'] ?? '')
      .split(delimiter)
      .filter(Boolean)
      .map((folder) => join(folder, 'java')),
    ...installed.map((name) => javaOf(join('/usr/lib/jvm', name))),
  ];
}

function javaOf(home: string): string {
  return join(home, 'bin', 'java');
}

async function readJdk(java: string): Promise<Jdk | null> {
  const { stdout } = await promisify(execFile)(java, ['--list-modules'], { timeout: 30_000 }).catch(() => ({
    stdout: '',
  }));
  return parseModules(java, stdout);
}

/** What `java --list-modules` says; null when it is no JDK. */
export function parseModules(java: string, modules: string): Jdk | null {
  const version = /^java\.base@(\d+)/m.exec(modules)?.[1];
  if (version === undefined || !/^jdk\.compiler@/m.test(modules)) return null;
  return { java, version: Number(version), hasVector: /^jdk\.incubator\.vector@/m.test(modules) };
}
