import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LocalEnvironment } from './localEnvironment.js';

const command = fileURLToPath(new URL('../../bin/freshet.js', import.meta.url));

/** A command on a terminal of its own. */
export interface OnTerminal {
  /** What the terminal has shown so far. */
  shown(): string;
  /** Ctrl-C: the terminal sends SIGINT to the command. */
  interrupt(): void;
  readonly ended: Promise<{ readonly status: number | null }>;
}

/** Runs a command on a pseudo-terminal, which `script` opens (util-linux, or the one of BSD and macOS). Arguments must be plain words. */
export function runOnTerminal(local: LocalEnvironment, args: readonly string[]): OnTerminal {
  const words = [process.execPath, command, ...args];
  const isBsd = process.platform === 'darwin';
  const parameters = isBsd
    ? ['-q', '/dev/null', ...words]
    : ['--quiet', '--return', '--flush', '--command', `exec ${words.map(quote).join(' ')}`, '/dev/null'];
  const child = spawn('script', parameters, {
    cwd: local.folder,
    env: { ...local.env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  return {
    shown: () => shown,
    interrupt: () => void child.stdin.write('\x03'),
    ended: once(child, 'close').then(([status]) => ({ status: status as number | null })),
  };
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
