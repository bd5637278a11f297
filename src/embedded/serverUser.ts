import { chmod, lstat, mkdir, mkdtemp, readFile, readlink, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FreshetError } from '../errors.js';
import type { ServerUser } from './keptProcess.js';

/** Where the data of embedded databases goes when root uses a folder that no other user can reach, such as one below /root. */
const reachableDataFolder = '/var/lib/freshet';

/**
 * The user that Postgres runs as: null = ours. Postgres refuses to run as root, so root lends it an existing user without
 * rights of its own. `nobody` comes first: a `postgres` user may own real databases of this machine.
 */
export async function findServerUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const users = parseUsers(await readFile('/etc/passwd', 'utf8').catch(() => ''));
  for (const name of ['nobody', 'postgres']) {
    const user = users.find((candidate) => candidate.name === name && candidate.uid !== 0);
    if (user) return user;
  }
  throw new FreshetError(
    'EMBEDDED_USER_MISSING',
    'Postgres does not run as root, and this machine has neither a user "nobody" nor a user "postgres" to run it as.',
  );
}

/** The users of a passwd file. */
export function parseUsers(passwd: string): ServerUser[] {
  return passwd.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    if (!name || uid === undefined || gid === undefined || !/^\d+$/.test(uid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}

/** Whether `user` may read `path` and enter every folder on the way to it. */
export async function canReach(path: string, user: ServerUser | null): Promise<boolean> {
  if (user === null) return true;
  const real = await realpath(path);
  return (await isAllowed(real, user, 4)) && (await canEnter(dirname(real), user));
}

/** Whether `user` may enter `folder` and every folder above it. */
async function canEnter(folder: string, user: ServerUser | null): Promise<boolean> {
  if (user === null) return true;
  const real = await realpath(folder);
  if (!(await isAllowed(real, user, 1))) return false;
  return real === dirname(real) || canEnter(dirname(real), user);
}

async function isAllowed(path: string, user: ServerUser, right: 1 | 4): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & right) === right;
}

/**
 * Makes the folder `path` where it is missing. When `user` cannot reach it, it becomes a link to a new folder that the user can reach;
 * deleting `path` leaves that one behind.
 * @returns its real path.
 */
export async function makeReachableFolder(path: string, user: ServerUser | null): Promise<string> {
  const existing = await lstat(path).catch(() => null);
  if (existing === null && (await canEnter(dirname(path), user))) await mkdir(path, { mode: 0o700 });
  else if (existing === null) await symlink(await makeFolderElsewhere(), path);
  // A link whose target somebody deleted is a start from nothing.
  else if (existing.isSymbolicLink())
    await mkdir(resolve(dirname(path), await readlink(path)), { recursive: true });
  return realpath(path);
}

async function makeFolderElsewhere(): Promise<string> {
  await mkdir(reachableDataFolder, { recursive: true });
  await chmod(reachableDataFolder, 0o755);
  return mkdtemp(join(reachableDataFolder, 'data-'));
}
