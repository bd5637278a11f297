import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FreshetError } from '../errors.js';
import { workerHeapMb, workerYoungHeapMb, workerStartMs, workerStopMs } from '../limits.js';
import type { Fleet, FleetWorker } from './fleet.js';

const command = fileURLToPath(new URL('../../bin/freshet.js', import.meta.url));

export interface LocalFleetOptions {
  readonly environment: string;
  /** The configuration file that the orchestrator read; null = the built-in preset. */
  readonly configFile: string | null;
  readonly apiUrl: string;
  readonly searchUrls: readonly string[];
  /** Receives what a worker writes to stderr, line by line. */
  readonly log: (workerId: string, line: string) => void;
}

/** Workers as child processes of the orchestrator, on loopback, each on a free port. They end with it, also when it is killed: their stdin closes. */
export function localFleet(options: LocalFleetOptions): Fleet {
  return {
    kind: 'local',
    start: async (id, signal) => {
      const child = spawnWorker(options);
      createInterface({ input: child.stderr }).on('line', (line) => options.log(id, line));
      try {
        const { url } = await readReadyLine(child, id, signal);
        return localWorker(id, url, child);
      } catch (error) {
        child.kill('SIGKILL');
        throw error;
      }
    },
  };
}

type WorkerProcess = ChildProcessWithoutNullStreams;

function spawnWorker(options: LocalFleetOptions): WorkerProcess {
  const config = options.configFile === null ? [] : ['--config', options.configFile];
  const environment = ['--environment', options.environment];
  const parameters = ['worker', ...environment, ...config, '--port', '0', '--exit-with-parent'];
  const heap = [`--max-old-space-size=${workerHeapMb}`, `--max-semi-space-size=${workerYoungHeapMb}`];
  return spawn(process.execPath, [...heap, command, ...parameters], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in the terminal reaches the orchestrator only, which ends its workers in order.
    detached: true,
    // URLs hold passwords: never in the argument list, where every user of the machine can read them.
    env: {
      ...process.env,
      FRESHET_WORKER_API_URL: options.apiUrl,
      FRESHET_WORKER_SEARCH_URL: options.searchUrls.join(','),
    },
  });
}

/** A ready worker writes one line of JSON with its address; other lines are what the user's configuration prints. */
async function readReadyLine(
  child: WorkerProcess,
  id: string,
  signal: AbortSignal,
): Promise<{ url: string }> {
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    const fail = (what: string): void =>
      reject(new FreshetError('WORKER_START_FAILED', `Worker ${id} ${what}.`, { worker: id }));
    const timer = setTimeout(
      () => fail(`did not answer within ${workerStartMs / 1000} seconds`),
      workerStartMs,
    );
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (code) => fail(`ended with status ${code ?? 'of a signal'} before it was ready`));
    lines.on('line', (line) => {
      const url = readUrl(line);
      if (url === null) return;
      clearTimeout(timer);
      resolve({ url });
    });
    child.once('exit', () => clearTimeout(timer));
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    child.once('exit', () => signal.removeEventListener('abort', abort));
  });
}

function readUrl(line: string): string | null {
  try {
    const { url } = JSON.parse(line) as { url?: unknown };
    return typeof url === 'string' ? url : null;
  } catch {
    return null;
  }
}

function localWorker(id: string, url: string, child: WorkerProcess): FleetWorker {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    id,
    url,
    pid: child.pid ?? null,
    isGone,
    stop: async (how) => {
      if (isGone()) return;
      child.kill(how === 'at once' ? 'SIGKILL' : 'SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), workerStopMs);
      await exited;
      clearTimeout(timer);
    },
  };
}
