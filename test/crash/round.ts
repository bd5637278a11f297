import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandOutcome } from '../setup/localEnvironment.js';
import { Changes } from './changes.js';
import { checkEnd } from './checkEnd.js';
import type { Lane } from './lane.js';
import { isLaterAttempt, numberOf, type Flow } from './matrix.js';
import type { Media } from './model/media.js';
import {
  cancelledAt,
  givenUpAt,
  commandOf,
  isUncommitted,
  killsOf,
  mediaOf,
  recoveryOf,
  type Recovery,
  type RoundPlan,
} from './plan.js';
import { commandLimitMs, Processes, type Kill, type RoundProcess } from './processes.js';
import { differencesOfViews, listRuns, readBaseline, readView, type Baseline, type View } from './view.js';

export interface RoundOutcome {
  /** What is not as the specification says; empty = all is. */
  readonly problems: readonly string[];
  readonly media: Media;
  readonly recovery: Recovery;
  readonly ms: number;
}

export async function runRound(lane: Lane, plan: RoundPlan): Promise<RoundOutcome> {
  const startedAt = performance.now();
  const processes = new Processes(lane);
  const round = new Round(lane, plan, processes);
  try {
    await lane.reset({ previous: plan.cells[0].flow === 'rollback' });
    await round.run();
  } catch (error) {
    round.problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  await processes.endAll();
  const { problems, media, recovery } = round;
  return { problems, media, recovery, ms: Math.round(performance.now() - startedAt) };
}

class Round {
  readonly problems: string[] = [];
  readonly media: Media;
  readonly recovery: Recovery;
  private readonly flow: Flow;
  private readonly kills: readonly Kill[];
  private readonly changes: Changes;
  /** What readers saw last before a process died. */
  private seen: View | null = null;
  /** Runs that are over without a further command. */
  private isFinished = false;

  constructor(
    private readonly lane: Lane,
    { cells, seed }: RoundPlan,
    private readonly processes: Processes,
  ) {
    const number = numberOf(cells[0]);
    this.flow = cells[0].flow;
    this.media = mediaOf(number, seed);
    this.recovery = recoveryOf(this.flow, number, seed);
    this.kills = killsOf(cells, seed);
    this.changes = new Changes(lane, this.media, this.flow, seed, number);
  }

  async run(): Promise<void> {
    const terms = await this.changes.make();
    const baseline = await readBaseline(this.lane, this.media);
    this.seen = baseline.view;
    const args = await this.begin(baseline);
    for (const kill of this.kills.slice(0, -1)) await this.die(args, kill);
    await this.dieLast(args, this.kills.at(-1) as Kill);
    if (this.flow === 'window') await this.lane.setWindow('open');
    if (!this.isFinished) await this.recover(args, baseline);
    if (this.flow === 'release') await this.succeed(commandOf(this.flow, this.media));
    if (this.flow === 'hold') await this.succeed(['promote', await this.newRun(baseline)]);
    this.problems.push(
      ...(await checkEnd(this.lane, {
        flow: this.flow,
        media: this.media,
        terms,
        baseline,
        leftRows: this.changes.writers.leftRows,
        runs: this.runsAtEnd(),
      })),
    );
  }

  /** What precedes the command that is to die. @returns that command. */
  private async begin(baseline: Baseline): Promise<string[]> {
    const { flow, media } = this;
    const command = commandOf(flow, media);
    if (flow === 'window') await this.lane.setWindow('closed');
    if (flow === 'sweep') await this.failRun();
    if (flow === 'cancel') {
      await this.die(command, cancelledAt);
      return ['cancel', await this.newRun(baseline)];
    }
    if (flow === 'recover') {
      await this.die(command, givenUpAt);
      await this.lane.giveUp(await this.newRun(baseline));
    }
    if (flow === 'release') {
      await this.die(command, cancelledAt);
      await this.lane.loseState();
      return ['release', 'local', '--yes'];
    }
    if (!isLaterAttempt(flow)) return command;
    if (flow === 'promote') await this.succeed(command);
    if (flow === 'retry') await this.failRun();
    if (flow === 'retry-copy') await this.refuseRun();
    // Hours may be between the two.
    await this.changes.write(true);
    this.seen = await readView(this.lane, media);
    const run = await this.newRun(baseline);
    if (flow === 'promote') return ['promote', run];
    return flow === 'retry' ? ['retry', run] : ['retry', run, '--from-step', 'copy'];
  }

  /** Runs beside those of the template, by state. */
  private runsAtEnd(): Readonly<Record<string, number>> {
    if (this.flow === 'cancel') return { cancelled: 1 };
    // A run of a state that is lost counts as over.
    if (this.flow === 'release') return { cancelled: 1, succeeded: 1 };
    if (this.flow === 'recover') return { failed: 1, succeeded: 1 };
    // The run was over: the same command began another one.
    const isBegunAgain = this.isOverAfterDeath && this.recovery === 'restart' && !isLaterAttempt(this.flow);
    const succeeded = isBegunAgain ? 2 : 1;
    return this.flow === 'sweep' ? { succeeded, failed: 1 } : { succeeded };
  }

  private get isOverAfterDeath(): boolean {
    return this.kills.at(-1)?.failpoint === 'end.after';
  }

  private async newRun({ runs }: Baseline): Promise<string> {
    const found = (await listRuns(this.lane)).find((run) => !runs.includes(run));
    if (found === undefined) throw new Error('no run was added');
    return found;
  }

  /** A run whose workers die again and again leaves tables and indexes to be swept. */
  private async failRun(): Promise<void> {
    const failing = this.processes.start(commandOf('refresh', this.media), {
      FRESHET_FAILPOINT: 'worker.rows',
    });
    const { status } = await failing.outcome();
    if (status !== 1) this.problems.push(`the run that was to fail ended with ${status}`);
  }

  /** A run that the gate refuses; afterwards the limit is what it was, and the catalog is corrected. */
  private async refuseRun(): Promise<void> {
    await this.lane.setStrictGate();
    const { status, stderr } = await this.processes.start(commandOf('refresh', this.media)).outcome();
    if (status !== 2) this.problems.push(`the run that was to be refused ended with ${status}: ${stderr}`);
    await this.lane.setWindow('open');
    await this.changes.correct();
  }

  private async dieLast(args: readonly string[], kill: Kill): Promise<void> {
    if (kill.failpoint.startsWith('worker.')) return this.loseWorker(args, kill);
    if (this.recovery !== 'standby' || kill.failpoint.startsWith('orchestrator.'))
      return this.die(args, kill);
    if (kill.failpoint.startsWith('enqueue.')) return this.enqueueBesideOrchestrator(args, kill);
    return this.kills.length === 1 ? this.handOver(args, kill) : this.resumeWithUp(kill);
  }

  /** The command, which is the orchestrator itself, dies; nobody takes over yet. */
  private async die(args: readonly string[], kill: Kill): Promise<void> {
    const { env, hasStruck } = this.processes.arm(kill);
    const victim = this.processes.start(await this.commandNow(args), env);
    await this.expectDeath(victim, kill, hasStruck);
    if (kill.isBeforePromotion) await this.expectUnchanged(kill);
    await this.write(kill);
    if (kill.isBeforePromotion) this.seen = await readView(this.lane, this.media);
  }

  /** A later attempt that is under way is gone on with by the command of its definition. */
  private async commandNow(args: readonly string[]): Promise<readonly string[]> {
    if (!isLaterAttempt(this.flow) || (await this.listUnfinished()).length === 0) return args;
    return commandOf('refresh', this.media);
  }

  /** Only a worker dies: the run goes on by itself. */
  private async loseWorker(args: readonly string[], kill: Kill): Promise<void> {
    const { env, hasStruck } = this.processes.arm(kill);
    await this.succeed(args, env);
    if (!hasStruck()) this.problems.push(`no worker died at ${kill.failpoint}`);
    this.isFinished = true;
  }

  /** The orchestrator dies while the command that has added the run waits to take over, and API writers go on. */
  private async handOver(args: readonly string[], kill: Kill): Promise<void> {
    const { env, hasStruck } = this.processes.arm(kill);
    const victim = this.processes.start(['up'], env);
    await victim.says('up:');
    const standby = this.processes.start(args);
    await Promise.race([victim.outcome(), standby.outcome()]);
    await this.expectDeath(victim, kill, hasStruck);
    await this.write(kill);
    this.expectSuccess(standby, await standby.outcome());
    this.isFinished = true;
  }

  /** An orchestrator that has found the unfinished run dies, and another one goes on with it. */
  private async resumeWithUp(kill: Kill): Promise<void> {
    const { env, hasStruck } = this.processes.arm(kill);
    const victim = this.processes.start(['up'], env);
    await victim.says('up:');
    const standby = this.processes.start(['up']);
    await this.expectDeath(victim, kill, hasStruck);
    await this.write(kill);
    await this.waitForRuns(standby);
    this.isFinished = true;
  }

  /** The command dies while it adds a run to an orchestrator that is up. */
  private async enqueueBesideOrchestrator(args: readonly string[], kill: Kill): Promise<void> {
    const orchestrator = await this.startOrchestrator();
    const { env, hasStruck } = this.processes.arm(kill);
    await this.expectDeath(this.processes.start(args, env), kill, hasStruck);
    await this.write(kill);
    if (isUncommitted(kill)) await this.succeed(args);
    await this.waitForRuns(orchestrator);
    this.isFinished = true;
  }

  private async startOrchestrator(): Promise<RoundProcess> {
    const orchestrator = this.processes.start(['up']);
    await orchestrator.says('up:');
    return orchestrator;
  }

  private async waitForRuns(orchestrator: RoundProcess): Promise<void> {
    const deadline = Date.now() + commandLimitMs;
    while (Date.now() < deadline && orchestrator.isAlive && (await this.listUnfinished()).length > 0)
      await sleep(100);
    await orchestrator.stop();
  }

  private async listUnfinished(): Promise<string[]> {
    return this.lane.local.withState(async (session) => {
      const { rows } = await session.query<{ id: string }>(
        `select id from freshet.runs where finished_at is null and state <> 'held'`,
      );
      return rows.map(({ id }) => id);
    });
  }

  /** The same command again; a run that is held already waits for its promotion instead. */
  private async recover(args: readonly string[], baseline: Baseline): Promise<void> {
    if (this.flow === 'hold' && this.kills.at(-1)?.failpoint === 'hold.after') return;
    if (isLaterAttempt(this.flow)) return this.recoverAttempt(args);
    const outcome = await this.succeed(args);
    const isGoneOnWith =
      !['cancel', 'release'].includes(this.flow) &&
      (await listRuns(this.lane)).length === baseline.runs.length + 1;
    const isNew = this.isOverAfterDeath || isUncommitted(this.kills.at(-1));
    if (isGoneOnWith && !isNew && this.flow !== 'sweep' && !outcome.stderr.includes('resuming')) {
      this.problems.push(`the run was not resumed: ${outcome.stderr}`);
    }
  }

  /** The command again: it begins its attempt if there is none yet, else it changes nothing and names the command that goes on. Or `freshet up`. */
  private async recoverAttempt(args: readonly string[]): Promise<void> {
    const isUnbegun = isUncommitted(this.kills.at(-1));
    if (this.recovery !== 'up') {
      if (isUnbegun) return void (await this.succeed(args));
      const again = this.processes.start(args);
      const { status, stderr } = await again.outcome();
      if (status !== 2) this.problems.push(`${again.called} ended with ${status} instead of 2: ${stderr}`);
      if (!this.isOverAfterDeath) return this.goOnAsTold(stderr);
    } else if (isUnbegun) {
      const orchestrator = await this.startOrchestrator();
      await this.succeed(args);
      return orchestrator.stop();
    }
    await this.waitForRuns(await this.startOrchestrator());
  }

  private async goOnAsTold(said: string): Promise<void> {
    const told = /goes on with: freshet ([^\n]+?)\.? \(/.exec(said)?.[1];
    if (told === undefined) this.problems.push(`no command was named that goes on with the run: ${said}`);
    const { stderr } = await this.succeed(told?.split(' ') ?? commandOf('refresh', this.media));
    if (!stderr.includes('resuming')) this.problems.push(`the run was not resumed: ${stderr}`);
  }

  private async succeed(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandOutcome> {
    const process = this.processes.start(args, env);
    const outcome = await process.outcome();
    this.expectSuccess(process, outcome);
    return outcome;
  }

  private expectSuccess({ called }: RoundProcess, { status, signal, stderr, stdout }: CommandOutcome): void {
    if (status === 0) return;
    this.problems.push(`${called} ended with ${status ?? signal}: ${stderr}${stdout}`);
  }

  private async expectDeath(victim: RoundProcess, kill: Kill, hasStruck: () => boolean): Promise<void> {
    if (victim.isAlive && !hasStruck())
      await Promise.race([victim.outcome(), sleep(commandLimitMs, undefined, { ref: false })]);
    if (!hasStruck()) {
      const { stderr, status } = await this.endLate(victim);
      throw new Error(
        `nothing died at ${kill.failpoint}@${kill.passage} (${victim.called}, status ${status}): ${stderr}`,
      );
    }
    const { signal } = await victim.outcome();
    if (signal !== 'SIGKILL')
      this.problems.push(`${victim.called} was to die at ${kill.failpoint}, but ended by ${signal}`);
  }

  private async endLate(process: RoundProcess): Promise<CommandOutcome> {
    if (process.isAlive) process.child.kill('SIGKILL');
    return process.ended;
  }

  private async expectUnchanged(kill: Kill): Promise<void> {
    if (this.seen === null) return;
    const changed = differencesOfViews(this.seen, await readView(this.lane, this.media));
    this.problems.push(
      ...changed.map((change) => `after the death at ${kill.failpoint} readers see: ${change}`),
    );
  }

  /** API writers go on while nobody, or another process, executes the run. */
  private async write({ isBeforePromotion }: Kill): Promise<void> {
    await this.changes.write(isBeforePromotion && this.recovery !== 'standby');
  }
}
