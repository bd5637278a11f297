import type { RefreshDefinition } from '../config/types.js';
import type { Leadership } from '../engine/leadership.js';
import { failpoint } from '../failpoints.js';
import { recordServed, type NewestSwap } from '../postgres/promotions.js';
import { generationOf, type SwapRecord } from '../postgres/swapRecord.js';
import { readAlias, readIndex } from '../search/index.js';
import { listGenerations, recordCandidate, recordPromotion, type Generation } from '../state/generations.js';
import { findLastRollback, findRun, finishedEvent, hasEvent, type Run } from '../state/runs.js';
import { isOver } from '../state/words.js';
import { openRunContext, type RunContext, type Services } from './context.js';
import { indexNamesOf } from './indexNames.js';
import { completePromotion } from './steps/promote.js';
import { completeRollback, recordLiveAgain } from './steps/rollBack.js';

/**
 * Finishes a promotion that ended between tables and aliases, whose run gave up (PROMOTION_INCOMPLETE): the swap's own indexes become the live
 * ones, and everything is done that follows.
 * @returns false where there is nothing to finish: the run is not over and does it itself, or its indexes are gone.
 */
export async function finishSwap(
  services: Services,
  leadership: Leadership,
  record: SwapRecord,
): Promise<boolean> {
  const run = await findRun(services.state, record.runId);
  if (run === null || !isOver(run.state)) return false;
  if (run.flow === 'rollback') return finishSwapBack(services, leadership, run, record);
  const known = await listGenerations(services.state, run.environment, run.media);
  if (known.some((one) => one.runId === run.id && one.promotedAt !== null)) return false;
  return withContext(services, leadership, run, async (context) => {
    const { main, filtered } = indexNamesOf(context);
    for (const name of [main, filtered]) {
      if ((await readIndex(context.search, name))?.mark?.runId !== run.id) return false;
    }
    await recordCandidate(context.state, {
      environment: run.environment,
      media: run.media,
      runId: run.id,
      tables: Object.fromEntries(record.tables.map((table) => [table.live.name, table.liveOid])),
      mainIndex: main,
      filteredIndex: filtered,
    });
    failpoint('recover.candidate');
    await completePromotion(context, record, 0);
    failpoint('recover.finished');
    await context.event(
      'warning',
      finishedEvent,
      `the aliases of ${run.media} follow the tables of this run now`,
    );
    return true;
  });
}

/**
 * The rest of a promotion whose run gave up (PROMOTION_INCOMPLETE) and whose aliases have followed since: a process that died while it repaired has left the
 * last deletions of API writers and foreign keys that are not validated. The event that tells of the repair is its end; before it everything is done again.
 * @param liveRunId the run whose generation is live.
 * @returns false where there is nothing to finish.
 */
export async function finishRest(
  services: Services,
  leadership: Leadership,
  { record, isFinished }: NewestSwap,
  liveRunId: string,
): Promise<boolean> {
  // Aliases alone may have moved on since.
  if (liveRunId !== generationOf(record)) return false;
  const run = await findRun(services.state, record.runId);
  if (!isFinished || run === null || !isOver(run.state) || run.error?.code !== 'PROMOTION_INCOMPLETE')
    return false;
  if (await hasEvent(services.state, run.id, finishedEvent)) return false;
  return withContext(services, leadership, run, async (context) => {
    await (run.flow === 'rollback' ? completeRollback : completePromotion)(context, record, 0);
    await context.event('warning', finishedEvent, `the promotion of ${run.media} by this run is whole now`);
    return true;
  });
}

/** As above, of a rollback: the indexes of the generation whose tables are live again must be there. */
async function finishSwapBack(
  services: Services,
  leadership: Leadership,
  run: Run,
  record: SwapRecord,
): Promise<boolean> {
  return withContext(services, leadership, run, async (context) => {
    const { main, filtered } = indexNamesOf(context);
    for (const name of [main, filtered]) {
      if ((await readIndex(context.search, name))?.mark?.media !== run.media) return false;
    }
    await completeRollback(context, record, 0);
    await context.event(
      'warning',
      finishedEvent,
      `the aliases of ${run.media} follow the tables that are live again`,
    );
    return true;
  });
}

/** A run without a swap that gave up when its aliases were moved and nobody had noted it yet: what is live is known to be live. */
export async function finishAliasMove(
  services: Services,
  leadership: Leadership,
  { environment, media }: RefreshDefinition,
): Promise<void> {
  const generations = await listGenerations(services.state, environment.name, media.name);
  for (const generation of generations.filter(({ state }) => state === 'candidate')) {
    const run = await findRun(services.state, generation.runId);
    if (run?.promotionBeganAt == null || !isOver(run.state) || !run.parameters.skipCopyData) continue;
    await withContext(services, leadership, run, (context) => noteAliasMove(context, generation));
  }
  const run = await findLastRollback(services.state, environment.name, media.name);
  if (run?.promotionBeganAt == null || run.state !== 'failed' || !run.parameters.skipCopyData) return;
  const { from, to } = run.parameters.rollback ?? {};
  const previous = generations.find(({ id, state }) => id === to && state === 'previous');
  if (previous === undefined || !generations.some(({ id, state }) => id === from && state === 'live')) return;
  await withContext(services, leadership, run, (context) => noteAliasMoveBack(context, previous));
}

async function noteAliasMoveBack(context: RunContext, previous: Generation): Promise<void> {
  if (!(await isServed(context, previous))) return;
  await recordLiveAgain(context, previous);
  await context.event(
    'warning',
    finishedEvent,
    `the aliases of ${previous.media} are those of run ${previous.runId} again, as is known now`,
  );
}

async function isServed(
  { definition, search }: RunContext,
  { mainIndex, filteredIndex }: Generation,
): Promise<boolean> {
  const { alias, filteredAlias } = definition.media.index;
  const main = await readAlias(search, alias);
  const filtered = await readAlias(search, filteredAlias);
  return main.join() === mainIndex && filtered.join() === filteredIndex;
}

async function noteAliasMove(context: RunContext, generation: Generation): Promise<void> {
  const { run } = context;
  if (!(await isServed(context, generation))) return;
  const { runId, media, tables, mainIndex, filteredIndex } = generation;
  await context.withApi((session) =>
    recordServed(session, { runId, media, tables, mainIndex, filteredIndex }),
  );
  await recordPromotion(context.state, run.id);
  await context.event(
    'warning',
    finishedEvent,
    `the aliases of ${run.media} are those of this run, as is known now`,
  );
}

/** A context of a run that is over. */
async function withContext<T>(
  services: Services,
  leadership: Leadership,
  run: Run,
  work: (context: RunContext) => Promise<T>,
): Promise<T> {
  const context = await openRunContext(services, run, leadership);
  try {
    return await work(context);
  } finally {
    await context.close();
  }
}
