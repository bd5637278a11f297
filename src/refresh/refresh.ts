import { runStep } from '../engine/engine.js';
import type { RunContext } from './context.js';
import { describeError, runPhase, skipPhase } from './phase.js';
import { buildIndexes } from './steps/buildIndexes.js';
import { buildKeys, countLiveRows } from './steps/buildKeys.js';
import { cleanUp, sweepLeftovers } from './steps/cleanUp.js';
import { copyData, skipCopy } from './steps/copyData.js';
import { countLive } from './steps/count.js';
import { createIndexes } from './steps/createIndexes.js';
import { populateFiltered } from './steps/populateFiltered.js';
import { preflight } from './steps/preflight.js';
import { prepareServing } from './steps/prepareServing.js';
import { promote } from './steps/promote.js';
import { reconcileWriters } from './steps/reconcileWriters.js';
import { reindex } from './steps/reindex.js';
import { verify } from './steps/verify.js';
import { waitForLease } from './steps/waitForLease.js';

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
    await preflight(run, report);
    return sweepLeftovers(run, report);
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
  await runPhase(context, 'reconcile', reconcileWriters);
  await runPhase(context, 'verify', verify({ rows, filtered }));
  if (context.run.parameters.hold === true) return 'held';
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

/** The promotion stands, whatever happens now: a failure here is shown, and the next run removes what this one could not. */
export async function afterPromotion(context: RunContext): Promise<void> {
  for (const [name, step] of [['clean-up', cleanUp] as const, ['count-after', countLive('after')] as const]) {
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
