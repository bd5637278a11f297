import { runStep } from '../engine/engine.js';
import type { RunContext } from './context.js';
import { describeError } from './describeError.js';
import { runPhase } from './phase.js';
import type { Outcome } from './refresh.js';
import { checkPrevious } from './steps/checkPrevious.js';
import { callAfterHooks } from './steps/hooks.js';
import { prepareServing } from './steps/prepareServing.js';
import { applyTakeDowns, promotePrevious } from './steps/rollBack.js';
import { waitForLease } from './steps/waitForLease.js';

/**
 * Makes the previous generation live again, as it would be had API writers gone on with it: what they deleted and marked since is applied to it
 * first. What was live becomes previous, so that a second rollback goes forward again. Nothing before `promote` changes what readers see. Neither
 * windows nor hooks before a promotion are asked: they decide about something new. Hooks after it are told, which purge caches.
 */
export async function rollback(context: RunContext): Promise<Outcome> {
  await runPhase(context, 'wait', waitForLease);
  await runPhase(context, 'preflight', checkPrevious);
  await runPhase(context, 'serving', prepareServing);
  await runPhase(context, 'reconcile', applyTakeDowns);
  await runPhase(context, 'promote', promotePrevious);
  try {
    await runPhase(context, 'after-hooks', callAfterHooks);
  } catch (error) {
    const { message } = describeError(error);
    await runStep('after-hooks failed', () =>
      context.event('error', 'run.incomplete', `rolled back, but after-hooks failed: ${message}`),
    );
  }
  return 'succeeded';
}
