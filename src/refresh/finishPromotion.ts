import { moveAliases } from '../search/aliases.js';
import { readIndex } from '../search/index.js';
import { listGenerations, recordPromotion } from '../state/generations.js';
import { isRunOver } from '../state/runs.js';
import type { RunContext } from './context.js';

/**
 * Finishes a promotion that ended between tables and aliases (its run gave up, see PROMOTION_INCOMPLETE): the newest swap's own indexes become
 * the live ones, before anything else is done and before anything is swept.
 */
export async function finishPromotion(context: RunContext): Promise<void> {
  const { state, run, search, definition } = context;
  const swapped = await readNewestSwap(context);
  if (swapped === null || swapped === run.id || !(await isRunOver(state, swapped))) return;
  const generations = await listGenerations(state, run.environment, run.media);
  const generation = generations.find((one) => one.runId === swapped && one.state === 'candidate');
  if (generation === undefined) return;
  const { mainIndex, filteredIndex } = generation;
  const found = [await readIndex(search, mainIndex), await readIndex(search, filteredIndex)];
  if (found.includes(null)) return;
  const { alias, filteredAlias } = definition.media.index;
  await moveAliases(search, [
    { alias, to: mainIndex, from: null },
    { alias: filteredAlias, to: filteredIndex, from: null },
  ]);
  await recordPromotion(state, swapped);
  await context.event('warning', 'promotion.finished', `the aliases of run ${swapped} follow its tables now`);
}

async function readNewestSwap(context: RunContext): Promise<string | null> {
  return context.withApi(async (session) => {
    const { rows: table } = await session.query<{ there: boolean }>(
      `select to_regclass('freshet.swaps') is not null as there`,
    );
    if (table[0]?.there !== true) return null;
    const { rows } = await session.query<{ run: string }>(
      'select run_id as run from freshet.swaps where media = $1 order by swapped_at desc limit 1',
      [context.run.media],
    );
    return rows[0]?.run ?? null;
  });
}
