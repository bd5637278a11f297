import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FreshetError } from '../errors.js';
import { embeddedStopMs } from '../limits.js';
import type { ServerUser } from './keptProcess.js';
import { identifyProcess, waitUntilGone, type ProcessIdentity } from './processes.js';
import { makeReachableFolder } from './serverUser.js';

/** The folder of one server: its data, its log, and which keeper process holds it. */
export interface PartFolder {
  /** What the server is called in messages. */
  readonly called: string;
  readonly path: string;
  readonly logFile: string;
  /** Folders that go when the process that started temporary parts dies. */
  readonly removeWhenOrphaned: readonly string[];
  /** The folder around them, which the last of them takes along. */
  readonly removeEmptyWhenOrphaned: string | null;
  /** Remembers the keeper, so that a later start waits until its server is gone. */
  recordKeeper(pid: number): Promise<void>;
}

/** Opens the folder `<folder>/<name>`, made where it is missing, for a server that runs as `user`. Waits for a server of a process that has just died. */
export async function openPartFolder(options: {
  readonly folder: string;
  readonly name: string;
  readonly called: string;
  readonly temporary: boolean;
  readonly user: ServerUser | null;
}): Promise<PartFolder> {
  const { folder, temporary } = options;
  const path = join(folder, options.name);
  const real = await makeReachableFolder(path, options.user);
  await chmod(real, 0o700);
  if (options.user) await chown(real, options.user.uid, options.user.gid);
  const keeperFile = join(real, 'keeper.json');
  await waitForKeeper(keeperFile, options.called);
  return {
    called: options.called,
    path: real,
    logFile: join(real, 'server.log'),
    removeWhenOrphaned: temporary ? [real, path] : [],
    removeEmptyWhenOrphaned: temporary ? folder : null,
    recordKeeper: async (pid) => writeFile(keeperFile, JSON.stringify(await identifyProcess(pid))),
  };
}

async function waitForKeeper(file: string, called: string): Promise<void> {
  const keeper = await readKeeper(file);
  if (keeper === null || (await waitUntilGone(keeper, embeddedStopMs + 10_000))) return;
  throw new FreshetError(
    'EMBEDDED_FOLDER_IN_USE',
    `The embedded server for the ${called} still runs under process ${keeper.pid}, although the process that started it is gone.`,
    { pid: keeper.pid },
  );
}

async function readKeeper(file: string): Promise<ProcessIdentity | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
  } catch {
    // No earlier start, or its file was cut off by a crash of the machine: then its server is gone too.
    return null;
  }
}
