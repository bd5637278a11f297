import pRetry from 'p-retry';
import type { ErrorCode } from '../errors.js';
import { stepAttemptsMax } from '../limits.js';
import { listPhases, type Phase } from '../state/phases.js';
import type { RunError } from '../state/runs.js';
import type { RunContext } from './context.js';
import { firstPhaseAfterHold, phasesOfEveryAttempt } from './phases.js';
import { mayBePromoted } from './withdrawPromotion.js';

const lookRetries = { retries: stepAttemptsMax - 1, minTimeout: 500, maxTimeout: 30_000 };

/** Ends after which there is no candidate to hold. */
const endsOfHold: readonly string[] = ['RUN_CANCELLED', 'CANDIDATE_LOST'] satisfies ErrorCode[];

/**
 * Whether a promotion by command that did not come about leaves its finished candidate as it was, so that it is held again instead of thrown away
 * with the next refresh. Not where something of it is live already, or may be.
 */
export async function isHeldAgain(context: RunContext, failure: RunError): Promise<boolean> {
  const { run, state } = context;
  if (run.parameters.released !== true || endsOfHold.includes(failure.code)) return false;
  if (!isFinished(await listPhases(state, run.id))) return false;
  // A server that does not say so may have promoted it: then the run fails, and a retry goes on.
  return !(await pRetry(() => mayBePromoted(context), lookRetries).catch(() => true));
}

/** Everything is done that makes the candidate. */
function isFinished(phases: readonly Phase[]): boolean {
  const end = phases.find((phase) => phase.name === firstPhaseAfterHold)?.ordinal ?? 0;
  const repeated: readonly string[] = phasesOfEveryAttempt;
  return phases
    .filter(({ ordinal, name }) => ordinal < end && !repeated.includes(name))
    .every(({ state }) => state === 'done' || state === 'skipped');
}
