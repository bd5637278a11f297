import pRetry from 'p-retry';
import { runStep } from '../engine/engine.js';
import { failpoint } from '../failpoints.js';
import { messageOf } from '../errors.js';
import { progressWriteMs, promoteAttemptsMax, stepAttemptsMax } from '../limits.js';
import { pausepoint } from '../pausepoint.js';
import { explainDatabaseFault } from '../postgres/faults.js';
import { findPhaseResult, finishPhase, setProgress, startPhase } from '../state/phases.js';
import type { RunContext } from './context.js';
import { isStateFault, mayPass, persistently, unlessStateFails } from './passingFaults.js';
import type { PhaseName } from './phases.js';

/** Tells how far a step is; written to the state at most every `progressWriteMs`, whatever the step's pace. */
export type Report = (progress: { done: number; total: number | null; unit: string }) => void;

/** A step of a run: looks before it acts, may run twice and beside itself. Its result is JSON and holds no secret. */
export type Step<T> = (context: RunContext, report: Report) => Promise<T>;

/** Names the phase that an error came from; survives the engine's storing of errors. */
const phaseOf = Symbol.for('freshet.phase');

/**
 * Runs `step` as the durable phase `name`: recorded as running, done or failed. A phase that an earlier attempt of the run has done is not
 * run again: its recorded result is returned, so that a retry, a promotion of a held run and another release go on where the run was. A fault
 * that may pass (a lost connection) is tried again with back-off.
 */
export function runPhase<T extends object>(context: RunContext, name: PhaseName, step: Step<T>): Promise<T> {
  return runStep(name, () => unlessStateFails(context, () => runOnce(context, name, step)));
}

async function runOnce<T extends object>(context: RunContext, name: PhaseName, step: Step<T>): Promise<T> {
  const { state, run } = context;
  const recorded = await persistently(() => findPhaseResult(state, run.id, name));
  if (recorded !== null) return recorded as T;
  await persistently(() => startPhase(state, run.id, name));
  failpoint(`${name}.before`);
  await pausepoint(`${name}.before`);
  const begunAt = performance.now();
  const isRepeated = (error: Error): boolean => mayPass(name, error, performance.now() - begunAt);
  const progress = throttleProgress(context, name);
  try {
    const result = await pRetry(() => explained(attempt(context, step, progress.report)), {
      retries: attemptsOf(name) - 1,
      minTimeout: 1000,
      maxTimeout: 30_000,
      randomize: true,
      signal: context.cancelled,
      shouldRetry: ({ error }) => isRepeated(error),
      onFailedAttempt: async ({ error, retriesLeft }) => {
        if (retriesLeft > 0 && isRepeated(error)) await noteAttempt(context, name, error);
      },
    });
    failpoint(`${name}.after`);
    await progress.flush();
    await persistently(() => finishPhase(state, run.id, name, 'done', result));
    failpoint(`${name}.recorded`);
    return result;
  } catch (error) {
    // Neither is a failure of the phase, nor could it be written.
    if (context.closing.aborted || isStateFault(error)) throw error;
    await progress.flush();
    await persistently(() => finishPhase(state, run.id, name, 'failed', { error: messageOf(error) }));
    throw namePhase(error, name);
  }
}

/** Whatever a step throws once the run is cancelled, the reason is the cancellation: its sessions and requests were ended. */
async function attempt<T>(context: RunContext, step: Step<T>, report: Report): Promise<T> {
  const { cancelled } = context;
  cancelled.throwIfAborted();
  try {
    return await step(context, report);
  } catch (error) {
    cancelled.throwIfAborted();
    throw error;
  }
}

/** A promotion that has begun must end: between swap and alias move tables and aliases differ, so it is not given up for a server that is down. */
function attemptsOf(name: string): number {
  return name === 'promote' ? promoteAttemptsMax : stepAttemptsMax;
}

/** What a step throws, as an error that an operator can act on. */
async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explainDatabaseFault(error);
  }
}

/** Records a phase that this run does not need. */
export async function skipPhase(context: RunContext, name: PhaseName): Promise<void> {
  await finishPhase(context.state, context.run.id, name, 'skipped', null);
}

async function noteAttempt(context: RunContext, name: string, error: Error): Promise<void> {
  await context.event('warning', 'phase.retried', `${name} is tried again: ${error.message}`);
}

function namePhase(error: unknown, name: string): Error {
  const named = error instanceof Error ? error : new Error(String(error));
  Object.assign(named, { [phaseOf]: name, phase: name });
  return named;
}

interface ThrottledProgress {
  report: Report;
  flush(): Promise<void>;
}

/** Writes the newest progress and drops the ones between: a step may report for every row. */
function throttleProgress(context: RunContext, name: string): ThrottledProgress {
  let newest: Parameters<Report>[0] | null = null;
  let writing: Promise<void> = Promise.resolve();
  let nextAt = 0;
  const write = (): void => {
    const progress = newest;
    if (progress === null) return;
    newest = null;
    nextAt = Date.now() + progressWriteMs;
    // Progress is for the eye: a write that fails (state database restarting) must not end hours of work; the next one tries again.
    writing = writing
      .then(() => setProgress(context.state, context.run.id, name, progress))
      .catch((error: unknown) =>
        context.log(`progress of ${name} could not be written: ${messageOf(error)}`),
      );
  };
  return {
    report: (progress) => {
      newest = progress;
      if (Date.now() >= nextAt) write();
    },
    flush: () => {
      write();
      return writing;
    },
  };
}
