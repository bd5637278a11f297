import pRetry from 'p-retry';
import { FreshetError, messageOf } from '../errors.js';
import { stepAttemptsMax, unreachableAtOnceMs } from '../limits.js';
import { pausepoint } from '../pausepoint.js';
import { explainDatabaseFault, nameDatabase } from '../postgres/faults.js';
import type { RunContext } from './context.js';

/** Which faults of the servers may be over soon, and what is tried again because of that. */

/**
 * Whether a phase that has lasted `elapsedMs` is tried again after `error`. Before anything was done, a server that does not answer is the
 * operator's to see at once; later it is probably restarting, also while a run has waited for its turn.
 */
export function mayPass(phase: string, error: unknown, elapsedMs: number): boolean {
  if (!(error instanceof FreshetError)) return false;
  const isUnreachable = error.code === 'DATABASE_UNREACHABLE' || error.code === 'SEARCH_UNREACHABLE';
  const hasBegun = (phase !== 'wait' && phase !== 'preflight') || elapsedMs > unreachableAtOnceMs;
  return error.policy === 'retry' || (isUnreachable && hasBegun);
}

/**
 * Reads or writes what a run remembers, again where the connection broke: a phase that is done must not fail its run for that. For statements
 * that have the same effect however often they are carried out.
 */
export function persistently<T>(statement: () => Promise<T>): Promise<T> {
  const explained = async (): Promise<T> => {
    try {
      return await statement();
    } catch (error) {
      nameDatabase(error, 'state database');
      throw explainDatabaseFault(error);
    }
  };
  return pRetry(explained, {
    retries: stepAttemptsMax - 1,
    minTimeout: 100,
    maxTimeout: 10_000,
    shouldRetry: ({ error }) => error instanceof FreshetError && error.policy === 'retry',
  });
}

const stateFaults: readonly string[] = ['NO_SPACE', 'SESSION_LOST', 'DATABASE_UNREACHABLE'];

/** Whether `error` says that nothing can be written into the state database now. */
export function isStateFault(error: unknown): boolean {
  const explained = explainDatabaseFault(error);
  if (!(explained instanceof FreshetError)) return false;
  return stateFaults.includes(explained.code) && explained.details['database'] === 'state database';
}

/**
 * Does a part of a run, which may throw for every reason but one: when nothing can be written into the state database (no room, or away for longer
 * than tries last), that is no failure of the run, and could not be recorded as one. This process gives up being the orchestrator, which
 * ends it, and the next one does the part again.
 */
export async function unlessStateFails<T>(
  { leadership, closing }: Pick<RunContext, 'leadership' | 'closing'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!closing.aborted && !isStateFault(error)) throw error;
    await pausepoint('state.failed');
    if (!closing.aborted) leadership.giveUp(messageOf(explainDatabaseFault(error)));
    return await abandoned();
  }
}

/** Never returns: the process is about to end, and the next orchestrator does this again. */
function abandoned(): Promise<never> {
  return new Promise(() => undefined);
}
