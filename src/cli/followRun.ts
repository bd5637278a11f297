import { setTimeout as sleep } from 'node:timers/promises';
import { colors } from './colors.js';
import type { Engine } from '../engine/engine.js';
import { exitStatus } from '../errors.js';
import { followPollMs } from '../limits.js';
import { OrchestratorCandidate } from '../refresh/orchestrator.js';
import { listPhases } from '../state/phases.js';
import { listEvents } from '../state/records.js';
import { findRun, listUnfinishedRuns, type Run } from '../state/runs.js';
import { isOver } from '../state/words.js';
import { OrchestratorWatch } from './orchestratorWatch.js';
import { writeNote } from './output.js';
import { createProgressView, describeEvent } from './progressView.js';
import type { CommandServices } from './services.js';

/**
 * For `local`: this process executes runs itself while no other process does. Several commands may run side by side: one executes, the
 * others follow, and when it ends another takes over.
 */
export class LocalOrchestrator {
  private engine: Engine | null = null;
  private readonly watch: OrchestratorWatch;
  private readonly candidate: OrchestratorCandidate;

  constructor(
    private readonly services: CommandServices,
    private readonly environment: string,
  ) {
    this.watch = new OrchestratorWatch(services.state);
    this.candidate = new OrchestratorCandidate(services, services.stateUrl, endAsLost);
  }

  /** Becomes the orchestrator where this is `local` and nobody else is. */
  async take(): Promise<void> {
    if (this.environment !== 'local' || this.engine !== null) return;
    this.engine = await this.candidate.tryOnce();
  }

  /** Where another process executes runs: throws when there is none for too long. A run that nobody executes would be followed for ever. */
  async assertPresent(runId: string): Promise<void> {
    if (this.environment !== 'local') await this.watch.look(runId);
  }

  /** Waits until no run of others is under way in this process, then stops taking work. */
  async finish(): Promise<void> {
    if (this.engine === null) return;
    for (;;) {
      const others = await listUnfinishedRuns(this.services.state, this.environment);
      if (others.every((run) => run.state === 'held')) break;
      await sleep(followPollMs);
    }
    await this.engine.close();
    this.engine = null;
  }
}

/** Another process may be the orchestrator from now on: this one must do nothing more. */
export function endAsLost(): void {
  writeNote(
    'This process is not the orchestrator any more (its connection was lost); another one may take over.',
  );
  process.exit(exitStatus.failed);
}

/** Shows a run until it is over, or held. */
export async function followRun(
  services: CommandServices,
  orchestrator: LocalOrchestrator,
  runId: string,
  json: boolean,
): Promise<Run> {
  const view = createProgressView(json);
  let lastEvent = 0;
  try {
    for (;;) {
      await orchestrator.take();
      await orchestrator.assertPresent(runId);
      const run = await findRun(services.state, runId);
      if (run === null) throw new Error(`run ${runId} has vanished from the state database`);
      for (const event of await listEvents(services.state, runId, lastEvent)) {
        lastEvent = event.id;
        if (!event.kind.startsWith('run.failed') && !event.kind.startsWith('run.refused'))
          view.line(describeEvent(event));
      }
      view.update(await listPhases(services.state, runId));
      if (isOver(run.state) || run.state === 'held') return run;
      await sleep(followPollMs);
    }
  } catch (error) {
    // The connections were closed because this process ends: it says so itself.
    if (services.closing.aborted) return await new Promise(() => undefined);
    throw error;
  } finally {
    view.end();
  }
}

/**
 * Ctrl-C: leaves the run where it is, and stops what this command started.
 * @param whatNow what becomes of the run, and the command that goes on.
 * @returns what takes that away again, once there is no run to go on with.
 */
export function endOnInterrupt(services: CommandServices, whatNow: string): () => void {
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) process.exit(exitStatus.interrupted);
    interrupted = true;
    services.beginClosing();
    describeInterruption(services)
      .then((what) => writeNote(`\n${colors.yellow('interrupted')}: ${what} ${whatNow}`))
      .then(() => services.close())
      .catch((error: unknown) => writeNote(String(error)))
      .finally(() => process.exit(exitStatus.interrupted));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  };
}

/** Between swap and alias move "nothing was changed" would be false. */
async function describeInterruption({ state }: CommandServices): Promise<string> {
  const runs = await listUnfinishedRuns(state, null).catch(() => []);
  const promoting = runs.find((run) => run.state === 'promoting');
  if (promoting === undefined) return 'nothing that is live was changed by that.';
  return `the promotion of ${promoting.media} has begun; let it end soon, until then tables and aliases may differ.`;
}

/** Stays up until Ctrl-C or SIGTERM, then stops what this command started and ends with status 0. */
export function stayUntilStopped(close: () => Promise<void>): void {
  const stop = (): void => {
    writeNote('\nstopping');
    close()
      .then(() => process.exit(exitStatus.done))
      .catch((error: unknown) => {
        writeNote(String(error));
        process.exit(exitStatus.failed);
      });
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Nothing else keeps the process alive: the servers run in their own.
  setInterval(() => undefined, 60_000);
}
