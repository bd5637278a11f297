import pRetry from 'p-retry';
import { FreshetError } from '../errors.js';
import { isWorkflowOver, migrateEngine, runStep, startEngine, type Engine } from '../engine/engine.js';
import { endRun, findRun, listUnfinishedRuns, type Run } from '../state/runs.js';
import { openRunContext, type RunContext, type Services } from './context.js';
import { rebuildFilteredIndex } from './filteredIndex.js';
import { describeError } from './phase.js';
import { endRetries, refresh, runToEnd } from './refresh.js';

/** Prepares the state database for the engine. */
export const prepareState = migrateEngine;

/**
 * Becomes the orchestrator: resumes what an earlier one left, then runs what is queued.
 * @param onLost called when another process may be the orchestrator from now on: this one must end at once.
 * @returns null when another process is the orchestrator.
 */
export async function startOrchestrator(
  services: Services,
  stateUrl: string,
  onLost: () => void,
): Promise<Engine | null> {
  const engine = await startEngine({
    stateUrl,
    onLost,
    workflow: (runId) => executeRun(services, runId),
  });
  if (engine !== null) await endStranded(services);
  return engine;
}

/** Runs that the engine has given up (a fault outside of every step) have no end of their own, and would hold their environment. */
async function endStranded({ state }: Services): Promise<void> {
  for (const run of await listUnfinishedRuns(state, null)) {
    if (!(await isWorkflowOver(run.id))) continue;
    const fault = new FreshetError('INTERNAL', 'The engine ended the run without its own end.', {
      run: run.id,
    });
    await endRun(state, run.id, 'failed', describeError(fault));
  }
}

async function executeRun(services: Services, runId: string): Promise<void> {
  const run = await findRun(services.state, runId);
  if (run === null) throw new Error(`no run ${runId} in the state database`);
  const context = await openOrFail(services, run);
  if (context === null) return;
  try {
    await runToEnd(context, run.flow === 'refresh' ? refresh : rebuildFilteredIndex);
  } finally {
    await context.close();
  }
}

/** A run whose definition or URLs are gone (the configuration was changed meanwhile) ends as failed: it must not hold the environment for ever. */
async function openOrFail(services: Services, run: Run): Promise<RunContext | null> {
  try {
    return await openRunContext(services, run);
  } catch (error) {
    await runStep('end', () =>
      pRetry(() => endRun(services.state, run.id, 'failed', describeError(error)), endRetries),
    );
    return null;
  }
}
