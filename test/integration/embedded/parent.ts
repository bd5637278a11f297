import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./holdParts.ts', import.meta.url));
const jiti = import.meta.resolve?.('jiti/register') ?? 'jiti/register';

/** A process that runs embedded parts, in a process group of its own like a command in a terminal. */
export interface PartsParent {
  readonly process: ChildProcess;
  readonly catalogUrl: string;
  readonly folder: string;
}

/** Starts a parent and waits until its parts are up. Throws with what it printed when they do not come up. */
export async function startParent(options: {
  readonly folder?: string;
  readonly search?: boolean;
  readonly uid?: number;
}): Promise<PartsParent> {
  const parent = spawn(
    process.execPath,
    ['--import', jiti, script, options.folder ?? '-', options.search ? 'yes' : 'no'],
    {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    },
  );
  let errors = '';
  parent.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(parent, 'exit').then(() => {
    throw new Error(`The parent ended: ${errors}`);
  });
  const [line] = (await Promise.race([once(parent.stdout, 'data'), ended])) as [Buffer];
  ended.catch(() => undefined);
  const urls = JSON.parse(line.toString()) as { catalogUrl: string; folder: string };
  return { process: parent, ...urls };
}

/** Pids of all processes below `pid`. */
export function listDescendants(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const childrenOf = (parent: number): number[] =>
    pairs.flatMap(([child = 0, above]) => (above === parent ? [child, ...childrenOf(child)] : []));
  return childrenOf(pid);
}
