import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError, messageOf } from '../errors.js';
import { cancelPollMs } from '../limits.js';
import { isCancelRequested } from '../state/runs.js';
import type { State } from '../state/state.js';

export interface Cancellation {
  /** Aborted with RUN_CANCELLED. */
  readonly signal: AbortSignal;
  stop(): void;
}

/**
 * Looks for the request to cancel a run: a row in the state database, so that it outlives every process. A run's clean-up cannot be left to
 * the engine's own cancelling, which ends a workflow without it.
 * @param onCancelled what the signal cannot reach: called once, after it aborted.
 */
export function watchCancellation(
  state: State,
  runId: string,
  onCancelled: () => Promise<unknown>,
): Cancellation {
  const cancelled = new AbortController();
  const stopped = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await sleep(cancelPollMs, undefined, { signal: stopped.signal, ref: false });
      // A state database that does not answer now answers at the next look.
      const requested = await isCancelRequested(state, runId).catch(() => false);
      if (!requested) continue;
      cancelled.abort(cancelledError(runId));
      await onCancelled();
      return;
    }
  };
  watch().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw new Error(`the watch for cancellations ended: ${messageOf(error)}`);
  });
  return { signal: cancelled.signal, stop: () => stopped.abort() };
}

export function cancelledError(runId: string): FreshetError {
  return new FreshetError('RUN_CANCELLED', `Run ${runId} was cancelled.`, { run: runId });
}
