import pRetry from 'p-retry';
import type { Leadership } from '../engine/leadership.js';
import { FreshetError, policyOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { promoteAttemptsMax, stepAttemptsMax } from '../limits.js';
import { pausepoint } from '../pausepoint.js';
import { endRunSessions } from '../postgres/runSessions.js';
import { asRun } from '../postgres/sessionNames.js';
import { endRun, findRun, holdRun, type Run, type RunError } from '../state/runs.js';
import type { State } from '../state/state.js';
import { isOver, type RunState } from '../state/words.js';
import { cancelledError } from './cancellation.js';
import { openRunContext, type RunContext, type Services } from './context.js';
import { rebuildFilteredIndex } from './filteredIndex.js';
import { isHeldAgain } from './heldAgain.js';
import { holdTarget, releaseTarget, targetHeld } from './holdTarget.js';
import { unlessStateFails } from './passingFaults.js';
import { describeError } from './describeError.js';
import { refresh, type Outcome } from './refresh.js';
import { rollback } from './rollback.js';
import { undo } from './undo.js';

/**
 * A state database that restarts must not leave a run without an end: it would hold the environment. What waits for its next try does not keep a
 * process that is done: the end may be written, and only its answer be lost.
 */
const endRetries = { retries: promoteAttemptsMax, minTimeout: 500, maxTimeout: 30_000, unref: true };

/** A run must end although the database is down; what is not released here does not count once the run is over, and is swept. */
const releaseRetries = { retries: 2, minTimeout: 500, maxTimeout: 2_000 };

/**
 * Executes one attempt of a run to its end: the workflow that the engine starts, and starts again after a crash. A crash between the run's end and
 * the engine's note of it makes the engine start an attempt that is over, perhaps beside the next one: nothing is left to do then.
 * @param attempt absent where a release without attempts had added the run: its first.
 */
export function executeRun(
  services: Services,
  leadership: Leadership,
  runId: string,
  attempt = 1,
): Promise<void> {
  const { closing } = services;
  return unlessStateFails({ closing, leadership }, () =>
    executeAttempt(services, leadership, runId, attempt),
  );
}

async function executeAttempt(
  services: Services,
  leadership: Leadership,
  runId: string,
  attempt: number,
): Promise<void> {
  const run = await findRun(services.state, runId);
  if (run === null) throw new Error(`no run ${runId} in the state database`);
  if (run.attempt !== attempt || isOver(run.state) || run.state === 'held') return;
  const context = await openOrFail(services, run, leadership);
  if (context === null) return;
  const called = `${run.definition}, run ${run.id}`;
  services.log(
    `${called}: ${run.state === 'queued' ? 'begins' : 'goes on'}${attempt === 1 ? '' : ` (attempt ${attempt})`}`,
  );
  try {
    await asRun(run.id, () => runToEnd(context));
    services.log(`${called}: ${(await findRun(services.state, runId))?.state}`);
  } finally {
    await context.close();
  }
}

/** A run whose definition or URLs are gone (the configuration was changed meanwhile) ends as failed: it must not hold the environment for ever. */
async function openOrFail(services: Services, run: Run, leadership: Leadership): Promise<RunContext | null> {
  try {
    return await openRunContext(services, run, leadership);
  } catch (error) {
    await endWithoutContext(services.state, run, error);
    return null;
  }
}

/** Ends a run of which nothing can be removed here: the sweeper does it. */
export async function endWithoutContext(state: State, run: Run, error: unknown): Promise<void> {
  const failure = describeError(error, run.id);
  const ended = await pRetry(() => endRun(state, run, 'failed', failure), endRetries);
  if (!ended) await pRetry(() => endRun(state, run, 'cancelled', failure), endRetries);
}

const flows = { refresh, 'filtered-index': rebuildFilteredIndex, rollback } as const satisfies Record<
  Run['flow'],
  (context: RunContext) => Promise<Outcome>
>;

/**
 * Runs the flow to its end, whatever it is, and frees the environment. The end is no step of the engine: a resumed attempt may come to it without
 * having come to the steps that its journal has (cancelled, target held by another state), and the engine would refuse it there. It may run twice.
 */
async function runToEnd(context: RunContext): Promise<void> {
  let failure: RunError | null = null;
  let outcome: Outcome = 'succeeded';
  try {
    await takeOver(context);
    outcome = await flows[context.run.flow](context);
  } catch (error) {
    failure = describeError(error, context.run.id);
  }
  await context.stopWatching();
  const failed = failure;
  const isHeld =
    failed === null ? outcome === 'held' : await pRetry(() => isHeldAgain(context, failed), endRetries);
  await (isHeld ? hold(context, failure) : end(context, failure));
}

/** The candidate stays for `freshet promote`; others may have the environment meanwhile. */
async function hold(context: RunContext, failure: RunError | null): Promise<void> {
  const { run, state } = context;
  failpoint('hold.before');
  await pausepoint('hold.before');
  if (failure === null) await context.event('info', 'run.held', 'held before its promotion');
  else await context.event('warning', 'run.held', `not promoted, held again: ${failure.message}`);
  await release(context);
  failpoint('hold.released');
  const held = await pRetry(() => holdRun(state, run, failure), endRetries);
  failpoint('hold.after');
  if (!held) await end(context, describeCancelled(context));
}

/** Freed only when everything of the run has ended and its clean-up is done; a failure of the clean-up is told, and the sweeper does the rest. */
async function end(context: RunContext, failure: RunError | null): Promise<void> {
  const { state, run } = context;
  failpoint('end.before');
  const ended = stateAfter(failure);
  if (failure !== null) {
    await context.event(ended === 'cancelled' ? 'warning' : 'error', `run.${ended}`, failure.message);
    await tellFailure(context, 'not removed yet', undo(context, failure.code));
  }
  failpoint('end.undone');
  await release(context);
  failpoint('end.released');
  const isEnded = await pRetry(() => endRun(state, run, ended, failure), endRetries);
  failpoint('end.after');
  // Cancelled while it failed.
  if (!isEnded) await end(context, describeCancelled(context));
}

function release(context: RunContext): Promise<void> {
  const released = pRetry(() => releaseTarget(context), releaseRetries);
  return tellFailure(context, 'the API database is not released yet', released);
}

function describeCancelled({ run }: RunContext): RunError {
  return describeError(cancelledError(run.id), run.id);
}

function stateAfter(failure: RunError | null): RunState {
  if (failure === null) return 'succeeded';
  if (failure.code === 'RUN_CANCELLED') return 'cancelled';
  return policyOf(failure.code) === 'refuse' ? 'refused' : 'failed';
}

/** What cannot be removed now is removed later: it must not hide why this run failed. */
async function tellFailure(context: RunContext, what: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    await context.event('warning', 'run.leftovers', `${what}: ${describeError(error).message}`);
  }
}

/** States in which an earlier process may have left sessions, and the run has its API database. */
const begun: readonly RunState[] = ['running', 'verifying', 'promoting'];

/**
 * A process that executed this run before may be dead, frozen or cut off: what it has open in the databases is ended first, so that it does
 * not go on beside this one, and the run's hold of its API database gets the token of this process.
 */
async function takeOver(context: RunContext): Promise<void> {
  const { run, environment } = context;
  if (!begun.includes(run.state)) return;
  await pRetry(
    async () => {
      await endRunSessions({ url: environment.catalogUrl, called: 'catalog' }, run.id, 'others');
      failpoint('takeover.catalog');
      await endRunSessions({ url: environment.apiUrl, called: 'API database' }, run.id, 'others');
      failpoint('takeover.sessions');
      const holder = await holdTarget(context);
      if (holder !== null) throw targetHeld(context, holder);
      failpoint('takeover.held');
    },
    {
      retries: run.state === 'promoting' ? promoteAttemptsMax : stepAttemptsMax - 1,
      minTimeout: 1000,
      maxTimeout: 30_000,
      signal: context.cancelled,
      shouldRetry: ({ error }) => !(error instanceof FreshetError) || error.code !== 'TARGET_HELD',
    },
  );
}
