import pRetry from 'p-retry';
import { FreshetError } from '../errors.js';
import { stepAttemptsMax, unreachableAtOnceMs } from '../limits.js';
import { explainDatabaseFault, nameDatabase } from '../postgres/faults.js';

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
