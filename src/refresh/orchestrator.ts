import { FreshetError } from '../errors.js';
import { isWorkflowOver, migrateEngine, startEngine, type Engine } from '../engine/engine.js';
import { Candidacy, type Leadership, type OnLost } from '../engine/leadership.js';
import { listUnfinishedRuns } from '../state/runs.js';
import type { Services } from './context.js';
import { endWithoutContext, executeRun } from './executeRun.js';
import { Maintenance, repairAtStart } from './maintenance.js';

/** Prepares the state database for the engine. */
export const prepareState = migrateEngine;

/** Tries to become the orchestrator of a state database; one per process. */
export class OrchestratorCandidate {
  private readonly candidacy: Candidacy;
  private hasLed = false;

  /** @param onLost called when another process may be the orchestrator from now on: this one must end at once. */
  constructor(
    private readonly services: Services,
    private readonly stateUrl: string,
    onLost: OnLost,
  ) {
    this.candidacy = new Candidacy(stateUrl, onLost);
  }

  /** Becomes the orchestrator: resumes what an earlier one left, then runs what is queued. @returns null while another process is it. */
  async tryOnce(): Promise<Engine | null> {
    const leadership = await this.candidacy.tryOnce();
    if (leadership === null) return null;
    this.hasLed = true;
    const engine = await this.begin(leadership);
    const maintenance = new Maintenance(this.services, leadership);
    return {
      close: async (options) => {
        await maintenance.stop();
        await engine.close(options);
      },
    };
  }

  /** Whether another try makes sense after one that threw: this process was not the orchestrator yet. */
  mayTryAgain(): boolean {
    return !this.hasLed;
  }

  /** What fails here must not leave a process that holds the role and does nothing. */
  private async begin(leadership: Leadership): Promise<Engine> {
    try {
      await repairAtStart(this.services, leadership);
    } catch (error) {
      await leadership.release();
      throw error;
    }
    const engine = await startEngine({
      stateUrl: this.stateUrl,
      leadership,
      workflow: (runId, attempt) => executeRun(this.services, leadership, runId, attempt),
    });
    try {
      await endStranded(this.services);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }
}

/** Runs that the engine has given up (a fault outside of every step) have no end of their own, and would hold their environment. */
async function endStranded({ state }: Services): Promise<void> {
  for (const run of await listUnfinishedRuns(state, null)) {
    if (run.state === 'held' || !(await isWorkflowOver(run.id, run.attempt))) continue;
    const fault = new FreshetError('INTERNAL', 'The engine ended the run without its own end.');
    await endWithoutContext(state, run, fault);
  }
}
