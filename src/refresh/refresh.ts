import { runStep } from '../engine/engine.js';
import { repeatPhases } from '../state/phases.js';
import type { RunContext } from './context.js';
import { describeError } from './describeError.js';
import { runPhase, skipPhase, type Step } from './phase.js';
import { phasesAfterWait } from './phases.js';
import { buildIndexes } from './steps/buildIndexes.js';
import { buildKeys, countLiveRows } from './steps/buildKeys.js';
import { cleanUp, sweepLeftovers } from './steps/cleanUp.js';
import { copyData, skipCopy } from './steps/copyData.js';
import { countLive } from './steps/count.js';
import { createIndexes } from './steps/createIndexes.js';
import { showCandidate } from './steps/hold.js';
import { callAfterHooks, callBeforeHooks } from './steps/hooks.js';
import { populateFiltered } from './steps/populateFiltered.js';
import { preflight } from './steps/preflight.js';
import { prepareServing } from './steps/prepareServing.js';
import { promote } from './steps/promote.js';
import { reconcileWriters } from './steps/reconcileWriters.js';
import { reindex } from './steps/reindex.js';
import { verify } from './steps/verify.js';
import { waitForLease } from './steps/waitForLease.js';
import { waitForWindow } from './steps/window.js';

/** How a flow that did not fail ends: a held run stops before its promotion. */
export type Outcome = 'succeeded' | 'held';

/**
 * A data refresh: replaces a media type's tables and indexes. Nothing before `promote` changes what users of the API see or may write, and
 * `promote` is reached only when every phase before it is done.
 */
export async function refresh(context: RunContext): Promise<Outcome> {
  const copies = !context.run.parameters.skipCopyData;
  await runPhase(context, 'wait', waitForLease);
  await runPhase(context, 'preflight', async (run, report) => {
    const found = await preflight(run, report);
    return run.run.promotionBeganAt === null ? sweepLeftovers(run, report) : found;
  });
  await runPhase(context, 'count-before', countLive('before'));
  const copied = await runPhase(context, 'copy', copies ? copyData : skipCopy);
  const { rows: rowsByTable } = await runPhase(context, 'keys', copies ? buildKeys(copied) : countLiveRows);
  const rows = rowsByTable[context.definition.media.main.downstream] ?? 0;
  await runPhase(context, 'create-indexes', createIndexes);
  // Workers read while the database builds indexes: on separate machines the longer of the two is what counts.
  await allDone([
    runPhase(context, 'reindex', reindex(rows)),
    copies ? runPhase(context, 'constraints', buildIndexes) : skipPhase(context, 'constraints'),
  ]);
  const filtered = await runPhase(context, 'filtered-index', populateFiltered);
  await runPhase(context, 'serving', prepareServing);
  const gate = verify({ rows, filtered });
  await runPhase(context, 'reconcile', reconcileWriters);
  await runPhase(context, 'verify', gate);
  const { hold = false, released = false } = context.run.parameters;
  if (hold) await runPhase(context, 'show-candidate', showCandidate);
  if (hold && !released) return 'held';
  await beforePromotion(context, gate);
  await runPhase(context, 'promote', promote(copied));
  await afterPromotion(context);
  return 'succeeded';
}

/** Waits for all, also when one has failed: a step that still runs must not run beside the clean-up. */
async function allDone(steps: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(steps);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

/** A verified candidate waits for its window, is verified again where that was long ago, and the hooks are asked. */
export async function beforePromotion(context: RunContext, gate: Step<object>): Promise<void> {
  while ((await runPhase(context, 'window', waitForWindow)).verifyAgain) {
    await runStep('verify again', () => repeatPhases(context.state, context.run.id, phasesAfterWait));
    await runPhase(context, 'reconcile', reconcileWriters);
    await runPhase(context, 'verify', gate);
  }
  await runPhase(context, 'before-hooks', callBeforeHooks);
}

/** The promotion stands, whatever happens now: a failure here is shown, and the next run removes what this one could not. */
export async function afterPromotion(context: RunContext): Promise<void> {
  const steps = [
    ['after-hooks', callAfterHooks],
    ['clean-up', cleanUp],
    ['count-after', countLive('after')],
  ] as const;
  for (const [name, step] of steps) {
    try {
      await runPhase<object>(context, name, step);
    } catch (error) {
      const { message } = describeError(error);
      await runStep(`${name} failed`, () =>
        context.event('error', 'run.incomplete', `promoted, but ${name} failed: ${message}`),
      );
    }
  }
}
