import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandOutcome } from '../setup/localEnvironment.js';
import { Changes } from './changes.js';
import { checkEnd } from './checkEnd.js';
import type { Lane } from './lane.js';
import { numberOf, type Cell, type Flow } from './matrix.js';
import type { Media } from './model/media.js';
import { commandLimitMs, Processes, type Kill, type RoundProcess } from './processes.js';
import { differencesOfViews, listRuns, readBaseline, readView, type Baseline, type View } from './view.js';

export type Recovery = 'restart' | 'standby';

/** One run that dies at one or several points in turn, is recovered, and is judged. */
export interface RoundPlan {
  readonly seed: number;
  /** Of one flow, in the order of a run. */
  readonly cells: readonly [Cell, ...Cell[]];
}

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

/** A cancelled run has got so far: everything that it makes is there. */
const cancelledAt: Kill = { failpoint: 'verify.before', passage: 1, isBeforePromotion: true };

function killsOf(cell: Cell, seed: number): Kill[] {
  const { failpoint, passages, isBeforePromotion, after } = cell;
  const passage = 1 + (((numberOf(cell) >>> 4) + seed) % passages);
  const kill = { failpoint, passage, isBeforePromotion };
  return after === null ? [kill] : [{ failpoint: after, passage: 1, isBeforePromotion: true }, kill];
}

function commandOf(flow: Flow, media: Media): string[] {
  if (flow === 'filtered-index' || flow === 'rollback') return [flow, 'local', media];
  const refresh = ['refresh', 'local', media];
  if (flow === 'skip-copy') return [...refresh, '--skip-copy-data'];
  return flow === 'hold' ? [...refresh, '--hold'] : refresh;
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
    this.media = ((number >>> 8) + (seed >>> 1)) % 2 === 0 ? 'image' : 'audio';
    const isAlone = this.flow === 'cancel' || this.flow === 'window';
    this.recovery = isAlone || ((number >>> 16) + seed) % 2 === 0 ? 'restart' : 'standby';
    const kills = cells.flatMap((cell) => killsOf(cell, seed));
    // Cells of a chain that need the same first death share it.
    this.kills = kills.filter(
      (kill, place) => kills.findIndex(({ failpoint }) => failpoint === kill.failpoint) === place,
    );
    this.changes = new Changes(lane, this.media, this.flow, seed, number);
  }

  async run(): Promise<void> {
    const terms = await this.changes.make();
    const baseline = await readBaseline(this.lane, this.media);
    this.seen = baseline.view;
    if (this.flow === 'window') await this.lane.setWindow('closed');
    if (this.flow === 'sweep') await this.failRun();
    if (this.flow === 'cancel') await this.die(commandOf(this.flow, this.media), cancelledAt);
    const args =
      this.flow === 'cancel' ? ['cancel', await this.newRun(baseline)] : commandOf(this.flow, this.media);
    for (const kill of this.kills.slice(0, -1)) await this.die(args, kill);
    await this.dieLast(args, this.kills.at(-1) as Kill);
    if (this.flow === 'window') await this.lane.setWindow('open');
    if (!this.isFinished) await this.recover(args, baseline);
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

  /** Runs beside those of the template, by state. */
  private runsAtEnd(): Readonly<Record<string, number>> {
    if (this.flow === 'cancel') return { cancelled: 1 };
    // The run was over: the same command began another one.
    const isBegunAgain = this.kills.at(-1)?.failpoint === 'end.after' && this.recovery === 'restart';
    const succeeded = isBegunAgain ? 2 : 1;
    return this.flow === 'sweep' ? { succeeded, failed: 1 } : { succeeded };
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

  private async dieLast(args: readonly string[], kill: Kill): Promise<void> {
    if (kill.failpoint.startsWith('worker.')) return this.loseWorker(args, kill);
    if (this.recovery === 'restart' || kill.failpoint === 'orchestrator.locked') return this.die(args, kill);
    if (kill.failpoint.startsWith('enqueue.')) return this.enqueueBesideOrchestrator(args, kill);
    return this.kills.length === 1 ? this.handOver(args, kill) : this.resumeWithUp(kill);
  }

  /** The command, which is the orchestrator itself, dies; nobody takes over yet. */
  private async die(args: readonly string[], kill: Kill): Promise<void> {
    const { env, hasStruck } = this.processes.arm(kill);
    const victim = this.processes.start(args, env);
    await this.expectDeath(victim, kill, hasStruck);
    if (kill.isBeforePromotion) await this.expectUnchanged(kill);
    await this.write(kill);
    if (kill.isBeforePromotion) this.seen = await readView(this.lane, this.media);
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
    const orchestrator = this.processes.start(['up']);
    await orchestrator.says('up:');
    const { env, hasStruck } = this.processes.arm(kill);
    await this.expectDeath(this.processes.start(args, env), kill, hasStruck);
    await this.write(kill);
    if (kill.failpoint === 'enqueue.beforeCommit') await this.succeed(args);
    await this.waitForRuns(orchestrator);
    this.isFinished = true;
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
    const outcome = await this.succeed(args);
    const isGoneOnWith =
      this.flow !== 'cancel' && (await listRuns(this.lane)).length === baseline.runs.length + 1;
    const isNew = ['enqueue.beforeCommit', 'end.after'].includes(this.kills.at(-1)?.failpoint ?? '');
    if (isGoneOnWith && !isNew && this.flow !== 'sweep' && !outcome.stderr.includes('resuming')) {
      this.problems.push(`the run was not resumed: ${outcome.stderr}`);
    }
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
    const { writers } = this.changes;
    await writers.deleteRecords(2);
    await writers.markRecords(2);
    await writers.unmarkRecords(1);
    await writers.listRecords(2);
    const isQuiet = isBeforePromotion && this.recovery === 'restart';
    if (isQuiet && this.flow !== 'filtered-index' && this.flow !== 'cancel') await writers.deleteLater(1);
  }
}
