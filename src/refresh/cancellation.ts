import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../errors.js';
import { cancelBreakMs, cancelPollMs } from '../limits.js';
import { isCancelRequested } from '../state/runs.js';
import type { State } from '../state/state.js';

export interface Cancellation {
  /** Aborted with RUN_CANCELLED. */
  readonly signal: AbortSignal;
  /** Ends the watch: when this resolves it does nothing more, so that the clean-up may open sessions of the run. */
  stop(): Promise<void>;
}

/**
 * Looks for the request to cancel a run: a row in the state database, so that it outlives every process. A run's clean-up cannot be left to
 * the engine's own cancelling, which ends a workflow without it. The first look is over when this resolves: a run that was cancelled while nobody
 * executed it begins nothing.
 * @param endSessions ends what the signal cannot reach. Called again and again until the watch is stopped, because a step may have been between
 * two statements and open its next session only then.
 * @param breakSessions lets go of it, where a server is cut off and cannot be asked to end anything: called every `cancelBreakMs`.
 */
export async function watchCancellation(
  state: State,
  runId: string,
  endSessions: () => Promise<unknown>,
  breakSessions: () => void,
): Promise<Cancellation> {
  const cancelled = new AbortController();
  const stopped = new AbortController();
  // A state database that does not answer now answers at the next look.
  const isRequested = (): Promise<boolean> => isCancelRequested(state, runId).catch(() => false);
  const pause = (): Promise<unknown> =>
    sleep(cancelPollMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted && !cancelled.signal.aborted) {
      await pause();
      if (await isRequested()) cancelled.abort(cancelledError(runId));
    }
    const breaking = setInterval(breakSessions, cancelBreakMs);
    try {
      while (!stopped.signal.aborted) {
        await endSessions().catch(() => undefined);
        await pause();
      }
    } finally {
      clearInterval(breaking);
    }
  };
  if (await isRequested()) cancelled.abort(cancelledError(runId));
  const watching = watch();
  return {
    signal: cancelled.signal,
    stop: () => {
      stopped.abort();
      return watching;
    },
  };
}

export function cancelledError(runId: string): FreshetError {
  return new FreshetError('RUN_CANCELLED', `Run ${runId} was cancelled.`, { run: runId });
}
