import { hostname } from 'node:os';
import { isAlive, waitUntilGone } from '../embedded/processes.js';
import { workerStopMs } from '../limits.js';
import type { LeftWorker } from '../state/workers.js';

/**
 * Why a worker of a run that is over can be neither ended nor called gone from here; null = it can. Every fleet says for itself what it can
 * know about a worker that another process had started.
 */
export function whyWorkerKept({ fleet, process: own }: LeftWorker): string | null {
  if (fleet !== 'local') return `this process knows no fleet ${fleet}`;
  if (own === null || own.host === hostname()) return null;
  return `it ran on ${own.host}, which this process cannot look at; it ends with its orchestrator there`;
}

/**
 * Makes sure that a worker is gone. A local one ends with its orchestrator, whose pipe it reads; one that hangs is ended if it is certainly the
 * process that was recorded: a pid alone may be another one's by now.
 */
export async function endLeftWorker({ id, process: own }: LeftWorker): Promise<void> {
  if (own?.startedAt == null || !(await isAlive(own))) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    process.kill(own.pid, signal);
    if (await waitUntilGone(own, workerStopMs)) return;
  }
  throw new Error(`worker ${id} (pid ${own.pid}) does not end`);
}
