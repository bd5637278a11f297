import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../bin/freshet.js', import.meta.url));

/** The servers that a measured command works on. */
export interface Servers {
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly stateUrl: string;
  readonly searchUrl: string | null;
}

/** A command that is measured, as a process of its own with `--json`. */
export interface MeasuredCommand {
  readonly child: ChildProcess;
  /** Its output; throws where it ended with another status than those of `expected`. */
  readonly ended: (expected?: readonly number[]) => Promise<string>;
}

/** Starts it. Its stderr goes to the terminal, or to whoever listens where it is piped. */
export function startCommand(
  servers: Servers,
  args: readonly string[],
  stderr: 'inherit' | 'pipe' = 'inherit',
): MeasuredCommand {
  const child = spawn(process.execPath, [command, ...args, '--json'], {
    env: {
      ...process.env,
      FRESHET_CATALOG_URL: servers.catalogUrl,
      FRESHET_API_URL: servers.apiUrl,
      FRESHET_STATE_URL: servers.stateUrl,
      FRESHET_SEARCH_URL: servers.searchUrl ?? '',
    },
    stdio: ['ignore', 'pipe', stderr],
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const closed = once(child, 'close') as Promise<[number | null]>;
  return {
    child,
    ended: async (expected = [0]) => {
      const [status] = await closed;
      if (status !== null && expected.includes(status)) return output;
      throw new Error(`${args.join(' ')} ended with ${status}: ${output}`);
    },
  };
}

/** Peak resident memory of a process so far (VmHWM), in bytes; 0 when it is gone. */
export async function readPeak(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}
