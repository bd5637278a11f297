import { readSwap } from '../postgres/swap.js';
import { findRun, withdrawPromotion } from '../state/runs.js';
import type { RunContext } from './context.js';

/**
 * Before the end of a run that failed: a promotion that never came to its swap has changed nothing, so the run may begin anew from an earlier step, or
 * be cancelled. Where the API database does not say so, and where a promotion is the move of aliases alone (whose answer may have been lost), it
 * counts as begun.
 * @returns whether something of the run may be live.
 */
export async function mayBePromoted(context: RunContext): Promise<boolean> {
  const { state, run } = context;
  if ((await findRun(state, run.id))?.promotionBeganAt == null) return false;
  if (run.flow === 'filtered-index' || run.parameters.skipCopyData) return true;
  if ((await context.withApi((session) => readSwap(session, run.id))) !== null) return true;
  await withdrawPromotion(state, run.id);
  return false;
}
