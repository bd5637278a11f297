import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { FailpointName } from '../../src/failpoints.js';
import { outcomeOf, type CommandOutcome } from '../setup/localEnvironment.js';
import type { Lane } from './lane.js';

/** Where a process is to die. */
export interface Kill {
  readonly failpoint: FailpointName;
  readonly passage: number;
  /** Whether readers have to see what they saw before. */
  readonly isBeforePromotion: boolean;
}

/** Environment variables for the one process that is to die. */
interface Armed {
  readonly env: Readonly<Record<string, string>>;
  /** Whether it has. */
  readonly hasStruck: () => boolean;
}

/** A command that has not ended by then hangs. */
export const commandLimitMs = 120_000;

/** A process of a round, whose output is kept. */
export class RoundProcess {
  readonly ended: Promise<CommandOutcome>;
  private stderr = '';

  constructor(
    readonly called: string,
    readonly child: ChildProcess,
  ) {
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = outcomeOf(child);
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** How it ended; a process that hangs is killed and told. */
  async outcome(): Promise<CommandOutcome> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), commandLimitMs);
    const outcome = await this.ended;
    clearTimeout(timer);
    return outcome;
  }

  /** Waits until it has written `text` to stderr, or has ended. */
  async says(text: string): Promise<void> {
    const said = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.stderr.includes(text)) resolve();
      };
      this.child.stderr?.on('data', look);
      look();
    });
    await Promise.race([said, this.ended]);
  }

  async stop(): Promise<void> {
    if (this.isAlive) this.child.kill('SIGTERM');
    await this.outcome();
  }
}

/** Starts the commands of a round, and knows which of them died where. */
export class Processes {
  private readonly started: RoundProcess[] = [];
  private kills = 0;

  constructor(private readonly lane: Lane) {}

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): RoundProcess {
    const child = this.lane.local.spawn(args, { ...this.lane.env, ...env });
    const process = new RoundProcess(`freshet ${args.join(' ')}`, child);
    this.started.push(process);
    return process;
  }

  arm({ failpoint, passage }: Kill): Armed {
    this.kills += 1;
    const file = `${this.lane.local.folder}/killed-${Date.now()}-${this.kills}`;
    const env = { FRESHET_FAILPOINT: `${failpoint}@${passage}`, FRESHET_FAILPOINT_ONCE: file };
    return { env, hasStruck: () => existsSync(file) };
  }

  /** Nothing of a round runs on beside the next one. */
  async endAll(): Promise<void> {
    for (const process of this.started) {
      if (process.isAlive) process.child.kill('SIGKILL');
      await process.ended;
    }
  }
}
