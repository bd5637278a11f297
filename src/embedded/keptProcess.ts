import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { FreshetError } from '../errors.js';
import { embeddedLogTailBytes } from '../limits.js';

/** A user that a server runs as. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What a keeper process starts and how it stops it. */
export interface KeptSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Null = the user of this process. */
  readonly user: ServerUser | null;
  /** Receives what the server prints; appended to. */
  readonly logFile: string;
  /** Sent one after the other until the server is gone, each with the time that it has. The last should be SIGKILL. */
  readonly stopSignals: readonly { readonly signal: NodeJS.Signals; readonly limitMs: number }[];
  /** The server gets a pipe as its standard input that ends when the keeper dies. */
  readonly holdsStdin: boolean;
  /** Deleted by the keeper when this process died without stopping the server. */
  readonly removeWhenOrphaned: readonly string[];
  /** A folder that is deleted then too if nothing is left in it. */
  readonly removeEmptyWhenOrphaned: string | null;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A server that ends when this process ends, even by `kill -9`. */
export interface KeptProcess {
  readonly keeperPid: number;
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  /** Null while it runs. */
  exit(): ServerExit | null;
  /** Stops it cleanly, by force after the limits of the spec. Returns when it is gone. Calling it again is harmless. */
  stop(): Promise<void>;
}

type KeeperMessage =
  | { readonly type: 'started'; readonly pid: number }
  | { readonly type: 'failed'; readonly message: string }
  | ({ readonly type: 'exited' } & ServerExit);

const keeperFile = fileURLToPath(new URL('./keeper.js', import.meta.url));

/** Starts `spec` under a keeper. Throws EMBEDDED_PART_FAILED when the program cannot be started at all. */
export async function startKept(spec: KeptSpec): Promise<KeptProcess> {
  const keeper = forkKeeper(spec.logFile);
  const pid = await new Promise<number>((resolve, reject) => {
    const fail = (reason: string) =>
      reject(new FreshetError('EMBEDDED_PART_FAILED', `${spec.command} cannot be started: ${reason}`));
    keeper.on('message', (message: KeeperMessage) => {
      if (message.type === 'started') resolve(message.pid);
      if (message.type === 'failed') fail(message.message);
    });
    keeper.once('error', (error) => fail(error.message));
    keeper.once('close', () => fail('its keeper process ended'));
    keeper.send({ type: 'start', spec: specMessage(spec) });
  });
  return watchKeeper(keeper, pid);
}

/** Runs `spec` to its end. */
export async function runKept(spec: KeptSpec): Promise<ServerExit> {
  return (await startKept(spec)).exited;
}

/** The last part of a server's log, for errors. */
export async function readLogTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.slice(-embeddedLogTailBytes).trim();
}

function forkKeeper(logFile: string): ChildProcess {
  const log = openSync(logFile, 'a', 0o600);
  try {
    return fork(keeperFile, [], {
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] },
      execArgv: [],
      stdio: ['ignore', log, log, 'ipc'],
    });
  } finally {
    closeSync(log);
  }
}

function specMessage(spec: KeptSpec) {
  const { user, ...rest } = spec;
  return { ...rest, cwd: '/', uid: user?.uid ?? null, gid: user?.gid ?? null };
}

function watchKeeper(keeper: ChildProcess, pid: number): KeptProcess {
  let ended: ServerExit | null = null;
  keeper.on('message', (message: KeeperMessage) => {
    if (message.type === 'exited') ended = { code: message.code, signal: message.signal };
  });
  const exited = new Promise<ServerExit>((resolve) => {
    keeper.once('close', () => {
      if (ended === null) endLeftServer(pid);
      ended ??= { code: null, signal: 'SIGKILL' };
      resolve(ended);
    });
  });
  const stop = async () => {
    if (ended === null && keeper.connected) keeper.send({ type: 'stop' }, () => undefined);
    await exited;
  };
  return { keeperPid: keeper.pid ?? 0, pid, exited, exit: () => ended, stop };
}

/** The keeper itself was killed: nobody else would end its server. */
function endLeftServer(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
