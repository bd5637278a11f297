import type { ChildProcess } from 'node:child_process';
import { on } from 'node:events';
import { outcomeOf, type CommandOutcome, type LocalEnvironment } from '../../setup/localEnvironment.js';
import { Pauses } from './pauses.js';

/** A command that waits at pausepoints, in its own process or in one of its workers. */
export class HeldCommand {
  private constructor(
    readonly child: ChildProcess,
    /** How it ended. */
    readonly ended: Promise<CommandOutcome>,
    private readonly pauses: Pauses,
  ) {}

  /** Starts a command that will wait at each of `points`. */
  static async start(
    local: LocalEnvironment,
    args: readonly string[],
    points: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<HeldCommand> {
    const pauses = await Pauses.at(points);
    const child = local.spawn(args, { ...env, ...pauses.env });
    return new HeldCommand(child, outcomeOf(child), pauses);
  }

  /** Waits until it waits at `point`. */
  async reach(point: string): Promise<void> {
    await this.pauses.reach(point, async () => {
      if (this.child.exitCode === null && this.child.signalCode === null) return;
      const { status, stderr } = await this.ended;
      throw new Error(`the command ended (${status}) before it reached ${point}: ${stderr}`);
    });
  }

  /** Waits until it has written `text` to stderr. */
  async said(text: string): Promise<void> {
    const { stderr } = this.child;
    if (stderr === null) throw new Error('the command has no stderr');
    let said = '';
    for await (const [chunk] of on(stderr, 'data', { close: ['end'] })) {
      said += String(chunk);
      if (said.includes(text)) return;
    }
    throw new Error(`the command ended without saying ${text}: ${said}`);
  }

  /** Lets it go on from `point`. */
  release(point: string): Promise<void> {
    return this.pauses.release(point);
  }
}
