import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { hookOutputBytesMax, hookOutputGraceMs, hookStopMs } from '../../limits.js';

/** What a hook answered: whether it said yes, how it ended (`ended with status 3`), and what it wrote. */
export interface HookAnswer {
  readonly isYes: boolean;
  readonly how: string;
  /** As it came: it may hold secrets. */
  readonly output: string;
}

export interface CommandCall {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it runs. */
  readonly folder: string;
  readonly timeoutMs: number;
  /** Ends it; then its reason is thrown. */
  readonly signal: AbortSignal;
}

/**
 * Runs a program without a shell. It has a process group of its own: what it starts ends with it when it takes too long or is to end, and
 * Ctrl-C in the terminal reaches freshet only, which ends it.
 */
export async function runCommand(call: CommandCall): Promise<HookAnswer> {
  call.signal.throwIfAborted();
  const [program, ...words] = call.command;
  const child = spawn(program, words, {
    cwd: call.folder,
    env: { ...call.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const output = collectOutput(child);
  const limit = AbortSignal.timeout(call.timeoutMs);
  const ended = waitForEnd(child);
  const stop = (): void => void stopGroup(child, ended);
  const ends = AbortSignal.any([call.signal, limit]);
  ends.addEventListener('abort', stop, { once: true });
  try {
    const end = await ended;
    const isLate = limit.aborted;
    call.signal.throwIfAborted();
    const text = await output();
    if (isLate) return { isYes: false, how: `took longer than ${call.timeoutMs / 1000} s`, output: text };
    return { ...end, output: text };
  } finally {
    ends.removeEventListener('abort', stop);
  }
}

type End = Omit<HookAnswer, 'output'>;

function waitForEnd(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      // Its message repeats arguments.
      resolve({ isYes: false, how: `could not be started (${error.code ?? error.name})` }),
    );
    child.once('exit', (status, signal) =>
      resolve({
        isYes: status === 0,
        how: status === null ? `was ended by ${signal}` : `ended with status ${status}`,
      }),
    );
  });
}

async function stopGroup(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  signalGroup(child, 'SIGTERM');
  await Promise.race([ended, sleep(hookStopMs, undefined, { ref: false })]);
  // Also where the program itself has ended: what it started need not have.
  signalGroup(child, 'SIGKILL');
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone: that is what was wanted.
  }
}

/** Keeps the last part of what a program writes. The returned function waits for the rest of it, but not for what the program left running. */
function collectOutput({ stdout, stderr }: ChildProcess): () => Promise<string> {
  const streams = [stdout, stderr].filter((stream) => stream !== null);
  let kept = Buffer.alloc(0);
  for (const stream of streams) {
    stream.on('data', (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk]).subarray(-hookOutputBytesMax);
    });
    stream.on('error', () => undefined);
  }
  const closed = Promise.all(streams.map((stream) => once(stream, 'close')));
  return async () => {
    await Promise.race([closed, sleep(hookOutputGraceMs, undefined, { ref: false })]);
    for (const stream of streams) stream.destroy();
    return kept.toString('utf8');
  };
}
