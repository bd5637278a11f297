import type { RunContext } from './context.js';
import { runPhase } from './phase.js';
import { afterPromotion, beforePromotion, type Outcome } from './refresh.js';
import { skipCopy } from './steps/copyData.js';
import { createFilteredIndex } from './steps/createIndexes.js';
import { populateFiltered } from './steps/populateFiltered.js';
import { preflight } from './steps/preflight.js';
import { prepareServing } from './steps/prepareServing.js';
import { promoteFiltered } from './steps/promote.js';
import { reconcileWriters } from './steps/reconcileWriters.js';
import { verifyFiltered } from './steps/verify.js';
import { waitForLease } from './steps/waitForLease.js';

/** Rebuilds the filtered index of the live index and promotes it alone: tables and main index stay as they are. */
export async function rebuildFilteredIndex(context: RunContext): Promise<Outcome> {
  await runPhase(context, 'wait', waitForLease);
  await runPhase(context, 'preflight', preflight);
  await runPhase(context, 'applied-sets', skipCopy);
  await runPhase(context, 'create-indexes', createFilteredIndex);
  const filtered = await runPhase(context, 'filtered-index', populateFiltered);
  await runPhase(context, 'serving', prepareServing);
  await runPhase(context, 'reconcile', reconcileWriters);
  const gate = verifyFiltered({ filtered });
  await runPhase(context, 'verify', gate);
  await beforePromotion(context, gate);
  await runPhase(context, 'promote', promoteFiltered);
  await afterPromotion(context);
  return 'succeeded';
}
