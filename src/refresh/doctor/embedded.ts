import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { chooseJdk } from '../../embedded/jdk.js';
import { findPostgresBinaries } from '../../embedded/postgresBinaries.js';
import { findServerUser } from '../../embedded/serverUser.js';
import { doctorCallMs } from '../../limits.js';
import { attempt, ok, problem, warning, type Finding } from './finding.js';

export type EmbeddedPart = 'catalog' | 'api' | 'state' | 'search';

/** Whether this machine can run the parts that no URL is given for. */
export async function checkEmbeddedParts(parts: readonly EmbeddedPart[], folder: string): Promise<Finding[]> {
  if (parts.length === 0) return [];
  const needsPostgres = parts.some((part) => part !== 'search');
  const checks = [
    checkFolder(folder),
    ...(needsPostgres ? [attempt('embedded Postgres', checkPostgres)] : []),
    ...(parts.includes('search') ? [attempt('JDK', checkJdk), checkMaven()] : []),
  ];
  return (await Promise.all(checks)).flat();
}

async function checkFolder(folder: string): Promise<Finding[]> {
  const existing = await nearestExisting(folder);
  const isWritable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (isWritable) return [ok('embedded folder', folder)];
  return [
    problem(
      'embedded folder',
      `${folder} cannot be written to.`,
      'Give another folder as `embeddedFolder`, or give this user the right to write there.',
    ),
  ];
}

async function nearestExisting(path: string): Promise<string> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  return exists || dirname(path) === path ? path : nearestExisting(dirname(path));
}

async function checkPostgres(): Promise<Finding[]> {
  await findPostgresBinaries(await findServerUser());
  return [ok('embedded Postgres', 'the binaries are there.')];
}

async function checkJdk(): Promise<Finding[]> {
  const { jdk, version } = await chooseJdk(undefined);
  return [ok('JDK', `Java ${jdk.version} (${jdk.java}) runs OpenSearch ${version}.`)];
}

/** Maven is needed once: later starts take the engine from the cache. */
async function checkMaven(): Promise<Finding[]> {
  const output = await promisify(execFile)('mvn', ['--version'], { timeout: doctorCallMs }).then(
    ({ stdout }) => stdout,
    () => null,
  );
  if (output !== null) return [ok('Maven', stripVTControlCharacters(output.split('\n')[0] ?? 'is there.'))];
  return [
    warning(
      'Maven',
      'Maven (mvn) is not found; the first start of the embedded search engine needs it.',
      'Install Maven 3.8 or newer (Debian: apt-get install maven), or set FRESHET_SEARCH_URL.',
    ),
  ];
}
