import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FreshetError } from '../errors.js';
import { identifyProcess, isAlive, type ProcessIdentity } from './processes.js';
import { answersPostgres } from './postgresServer.js';
import { answersSearch } from './searchServer.js';

/** Where running parts answer. The URLs of databases hold passwords: not for logs. */
export interface PartsUrls {
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly stateUrl: string;
  readonly searchUrl: string | null;
}

interface PartsRecord extends PartsUrls {
  readonly owner: ProcessIdentity;
}

/** Tells other commands where the parts of `folder` answer. Readable by this user only, because of the passwords. */
export async function writePartsFile(folder: string, urls: PartsUrls): Promise<void> {
  const record: PartsRecord = { ...urls, owner: await identifyProcess(process.pid) };
  const unfinished = join(folder, `parts.json.${process.pid}`);
  await writeFile(unfinished, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, join(folder, 'parts.json'));
}

export async function removePartsFile(folder: string): Promise<void> {
  await rm(join(folder, 'parts.json'), { force: true });
}

/** The parts that another process runs in `folder`: its process lives and every server answers. Null otherwise. */
export async function findRunningParts(folder: string): Promise<PartsUrls | null> {
  const text = await readFile(join(folder, 'parts.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const { owner, ...urls } = JSON.parse(text) as PartsRecord;
  if (!(await isAlive(owner))) return null;
  const answers = await Promise.all([
    ...[urls.catalogUrl, urls.apiUrl, urls.stateUrl].map(answersPostgres),
    ...(urls.searchUrl === null ? [] : [answersSearch(urls.searchUrl)]),
  ]);
  return answers.every(Boolean) ? urls : null;
}

/**
 * Takes `folder` for this process. Throws EMBEDDED_FOLDER_IN_USE naming the process that has it. What a dead process left is taken over; should
 * two processes do that at the same moment, the servers' own locks let only one of them start.
 * @returns a function that gives the folder back.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'owner.json');
  for (;;) {
    if (await createExclusively(file, JSON.stringify(await identifyProcess(process.pid)))) {
      return () => rm(file, { force: true });
    }
    const owner = await readOwner(file);
    if (owner && (await isAlive(owner))) {
      throw new FreshetError(
        'EMBEDDED_FOLDER_IN_USE',
        `The folder ${folder} is in use by process ${owner.pid}, which runs the embedded parts in it.`,
        { pid: owner.pid, folder },
      );
    }
    await rm(file, { force: true });
  }
}

/** The process that has taken `folder` for embedded parts and lives, whether they answer or not; null = none. */
export async function findFolderOwner(folder: string): Promise<number | null> {
  const owner = await readOwner(join(folder, 'owner.json'));
  return owner !== null && (await isAlive(owner)) ? owner.pid : null;
}

async function createExclusively(file: string, content: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(content).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readOwner(file: string): Promise<ProcessIdentity | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
  } catch {
    // Gone meanwhile, or cut off by a crash while it was written: nobody holds the folder.
    return null;
  }
}
