import pRetry from 'p-retry';
import { FreshetError } from '../errors.js';
import { isWorkflowOver, migrateEngine, startEngine, type Engine } from '../engine/engine.js';
import { Candidacy } from '../engine/leadership.js';
import { endRun, listUnfinishedRuns } from '../state/runs.js';
import type { Services } from './context.js';
import { endRetries, executeRun } from './executeRun.js';
import { describeError } from './phase.js';

/** Prepares the state database for the engine. */
export const prepareState = migrateEngine;

/** Tries to become the orchestrator of a state database; one per process. */
export class OrchestratorCandidate {
  private readonly candidacy: Candidacy;

  /** @param onLost called when another process may be the orchestrator from now on: this one must end at once. */
  constructor(
    private readonly services: Services,
    private readonly stateUrl: string,
    onLost: () => void,
  ) {
    this.candidacy = new Candidacy(stateUrl, onLost);
  }

  /** Becomes the orchestrator: resumes what an earlier one left, then runs what is queued. @returns null while another process is it. */
  async tryOnce(): Promise<Engine | null> {
    const leadership = await this.candidacy.tryOnce();
    if (leadership === null) return null;
    const engine = await startEngine({
      stateUrl: this.stateUrl,
      leadership,
      workflow: (runId) => executeRun(this.services, leadership, runId),
    });
    await endStranded(this.services);
    return engine;
  }
}

/** Runs that the engine has given up (a fault outside of every step) have no end of their own, and would hold their environment. */
async function endStranded({ state }: Services): Promise<void> {
  for (const run of await listUnfinishedRuns(state, null)) {
    if (run.state === 'held' || !(await isWorkflowOver(run.id, run.attempt))) continue;
    const fault = new FreshetError('INTERNAL', 'The engine ended the run without its own end.', {
      run: run.id,
    });
    await pRetry(() => endRun(state, run.id, 'failed', describeError(fault)), endRetries);
  }
}
