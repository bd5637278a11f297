import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process as written into a file: the pid alone may name another process later. `startedAt` is null where the system does not tell. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string | null;
}

/** What identifies the process `pid` as long as it lives. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity> {
  return { pid, startedAt: await readStartTime(pid) };
}

/** Whether exactly this process lives: a reused pid is another process. */
export async function isAlive({ pid, startedAt }: ProcessIdentity): Promise<boolean> {
  if (!hasPid(pid)) return false;
  const now = await readStartTime(pid);
  return now === null || startedAt === null || now === startedAt;
}

/** Waits until the process is gone. @returns whether it is. */
export async function waitUntilGone(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (await isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}

function hasPid(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Clock ticks since boot at which the process started: field 22 of Linux' /proc/<pid>/stat. The name before may hold spaces and parentheses. */
async function readStartTime(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}
