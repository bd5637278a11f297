import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine/engine.js';
import { exitStatus } from '../errors.js';
import { followPollMs, runEndWaitMs } from '../limits.js';
import { OrchestratorCandidate } from '../refresh/orchestrator.js';
import { listPhases } from '../state/phases.js';
import { listEvents } from '../state/records.js';
import { findRun, listUnfinishedRuns, type Run } from '../state/runs.js';
import { isOver } from '../state/words.js';
import { OrchestratorWatch } from './orchestratorWatch.js';
import { writeNote } from './output.js';
import { createProgressView, describeEvent, type ProgressView } from './progressView.js';
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
  async assertPresent(run: Run): Promise<void> {
    if (this.environment !== 'local') await this.watch.look(run);
  }

  /** Waits until no run of others is under way in this process, then stops taking work. */
  async finish(): Promise<void> {
    if (this.engine === null) return;
    for (;;) {
      const others = await listUnfinishedRuns(this.services.state, this.environment);
      if (others.every((run) => run.state === 'held')) break;
      await sleep(followPollMs);
    }
    // The run is over; what executes it may still be about to learn that.
    await this.engine.close({ waitForRunsMs: runEndWaitMs });
    this.engine = null;
  }
}

/** Another process may be the orchestrator from now on: this one must do nothing more. */
export function endAsLost(reason: string): void {
  writeNote(
    `This process is not the orchestrator any more (${reason}); another one may take over. Nothing that is live was changed by that.`,
  );
  process.exit(exitStatus.failed);
}

/** Events that say how the run ended: so does whoever follows it. */
const toldAtTheEnd = ['run.failed', 'run.refused', 'run.held'];

/** Shows a run until it is over, or held. */
export async function followRun(
  services: CommandServices,
  orchestrator: LocalOrchestrator,
  runId: string,
  json: boolean,
): Promise<Run> {
  const view = createProgressView(json);
  shown = view;
  let lastEvent = 0;
  try {
    for (;;) {
      await orchestrator.take();
      const run = await findRun(services.state, runId);
      if (run === null) throw new Error(`run ${runId} has vanished from the state database`);
      for (const event of await listEvents(services.state, runId, lastEvent)) {
        lastEvent = event.id;
        if (!toldAtTheEnd.includes(event.kind)) view.line(describeEvent(event));
      }
      view.update(await listPhases(services.state, runId));
      if (isOver(run.state) || run.state === 'held') return run;
      await orchestrator.assertPresent(run);
      await sleep(followPollMs);
    }
  } catch (error) {
    // The connections were closed because this process ends: it says so itself.
    if (services.closing.aborted) return await new Promise(() => undefined);
    throw error;
  } finally {
    shown = null;
    view.end();
  }
}

let shown: ProgressView | null = null;

/** A note beside the progress of the run that is followed, without breaking its bars. */
export function tellWhileFollowing(text: string): void {
  if (shown === null || !process.stdout.isTTY) writeNote(text);
  else shown.line(text);
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
