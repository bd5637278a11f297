import pRetry from 'p-retry';
import { FreshetError, messageOf } from '../../errors.js';
import { promoteAttemptsMax, stepAttemptsMax } from '../../limits.js';
import { compareWithBefore } from '../../postgres/compareGenerations.js';
import { isHeldBy } from '../../postgres/holders.js';
import type { Session } from '../../postgres/session.js';
import { countWithdrawnDeletions } from '../../postgres/reconcileTable.js';
import { recordServed } from '../../postgres/promotions.js';
import { describeBlocker } from '../../postgres/lockRetry.js';
import { swapTables, validateForeignKeys, type Blocker, type SwapRecord } from '../../postgres/swap.js';
import { moveAliases } from '../../search/aliases.js';
import { recordCandidateTables, recordPromotion } from '../../state/generations.js';
import { beginPromotion, blockedEvent, withdrawPromotion } from '../../state/runs.js';
import { version } from '../../version.js';
import { failpoint } from '../../failpoints.js';
import { pausepoint } from '../../pausepoint.js';
import { candidateRemovals } from '../candidateAlias.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { cancelledError } from '../cancellation.js';
import {
  applyAllDeletions,
  reconcile,
  reconcileTargetOf,
  type OwnTables,
  type Reconciled,
} from '../reconcile.js';
import { liveNameOf, planTables, tablesOf } from '../tables.js';
import type { CopySummary } from './copyData.js';
import { readLiveOids } from './createIndexes.js';

export interface Promoted {
  readonly lockHeldMs: number | null;
  readonly lockRetries: number | null;
  readonly orphansKept: number;
  readonly reconciled: Reconciled | null;
}

/**
 * Makes the candidate live: all tables of the media type in one transaction, then both aliases in one request, read back. Running it twice
 * is harmless; after a crash between the two it goes on with the aliases.
 */
export const promote =
  (copied: CopySummary): Step<Promoted> =>
  async (context) => {
    await begin(context);
    failpoint('promote.begun');
    const swapped = context.run.parameters.skipCopyData ? null : await swap(context, copied);
    failpoint('promote.tablesSwapped');
    await pausepoint('promote.tablesSwapped');
    return completePromotion(context, swapped);
  };

/**
 * All that follows the swap, which `swapped` records. Also done for a run that gave up in between (`finishPromotion.ts`).
 * @param retries of the aliases' move, once tables are swapped.
 */
export async function completePromotion(
  context: RunContext,
  swapped: SwapRecord | null,
  retries = promoteAttemptsMax,
): Promise<Promoted> {
  await finishAliases(context, swapped, retries, () => recordPromoted(context, swapped));
  const reconciled = await reconcileLive(context, swapped === null ? 'untouched' : 'live');
  failpoint('promote.reconciled');
  await attemptAfterwards(context, 'telling withdrawn deletions', () => tellWithdrawals(context));
  if (swapped !== null) {
    await attemptAfterwards(context, 'validating foreign keys', () =>
      validateForeignKeys(context.environment.apiUrl, swapped),
    );
    await attemptAfterwards(context, 'comparing the promoted tables', () =>
      tellDifferences(context, swapped),
    );
  }
  return {
    lockHeldMs: swapped?.lockHeldMs ?? null,
    lockRetries: swapped?.lockRetries ?? null,
    orphansKept: swapped?.orphans.reduce((sum, orphans) => sum + orphans.rows, 0) ?? 0,
    reconciled,
  };
}

/** What API writers did since the reconcile in the swap, in the tables and indexes that are live now. Null where it failed, which is told. */
export function reconcileLive(
  context: RunContext,
  rows: 'live' | 'untouched',
  own?: OwnTables,
): Promise<Reconciled | null> {
  const { main, filtered } = indexNamesOf(context);
  return attemptAfterwards(context, 'taking the last changes of API writers into account', () =>
    reconcile(context, {
      table: liveNameOf(context.definition.media.main),
      rows,
      indexes: [filtered, main],
      ...(own === undefined ? {} : { own }),
      phase: 'promote',
    }),
  );
}

/** Moves the filtered alias alone. */
export const promoteFiltered: Step<Promoted> = async (context) => {
  await begin(context);
  failpoint('promote.begun');
  await finishAliases(context, null, 0, () => recordPromoted(context, null));
  const { filtered } = indexNamesOf(context);
  const table = liveNameOf(context.definition.media.main);
  const reconciled = await attemptAfterwards(
    context,
    'taking the last changes of API writers into account',
    () => reconcile(context, { table, rows: 'untouched', indexes: [filtered], phase: 'promote' }),
  );
  return { lockHeldMs: null, lockRetries: null, orphansKept: 0, reconciled };
};

/** From here on a cancellation is refused: what has begun between tables and aliases must end. Safe to repeat. */
export async function begin(context: RunContext): Promise<void> {
  if (!(await beginPromotion(context.state, context.run.id))) throw cancelledError(context.run.id);
}

/**
 * Between two tries of its locks a promotion has changed nothing: it does not count as begun so long, and the run can be cancelled (`begin`
 * before the next try sees it). A state database that does not answer leaves it as begun. A process that was frozen meanwhile takes nothing back:
 * its successor may have promoted the run. Throws LEADERSHIP_LOST then.
 */
export async function letGo({ state, run, log, leadership }: RunContext): Promise<void> {
  await leadership.assertHeld();
  await withdrawPromotion(state, run.id).catch((error: unknown) => log(String(error)));
}

/**
 * The aliases follow the tables, whatever it takes: once the tables are swapped nothing but success ends the tries (within
 * `promoteAttemptsMax`), because until then readers find documents of the old generation beside rows of the new one.
 * @param record says what is live, in the API database first: may run twice.
 */
export async function finishAliases(
  context: RunContext,
  swapped: SwapRecord | null,
  retries: number,
  record: () => Promise<void>,
): Promise<void> {
  const finish = async (): Promise<void> => {
    await moveMediaAliases(context);
    failpoint('promote.aliasesMoved');
    await pausepoint('promote.aliasesMoved');
    await record();
    failpoint('promote.generation');
  };
  if (swapped === null) return finish();
  try {
    await pRetry(finish, {
      retries,
      minTimeout: 500,
      maxTimeout: 30_000,
      shouldRetry: () => !context.closing.aborted,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (attemptNumber > 1) return;
        const message = `the tables are live, the aliases not yet, which is tried again for half a day: ${error.message}`;
        // Not waited for: a state database that is down as well must not end the tries.
        context
          .event('warning', 'promotion.half-live', message)
          .catch((failure: unknown) => context.log(String(failure)));
      },
    });
  } catch (error) {
    throw new FreshetError(
      'PROMOTION_INCOMPLETE',
      `The tables of ${context.run.media} are live, but the aliases do not follow: ${messageOf(error)}`,
      { media: context.run.media },
      { cause: error },
    );
  }
}

async function recordPromoted(context: RunContext, swapped: SwapRecord | null): Promise<void> {
  await recordParts(context, swapped);
  failpoint('promote.parts');
  if (swapped !== null) await recordTables(context, swapped);
  await recordPromotion(context.state, context.run.id);
}

/** What comes after the promotion is tried some times; what then still fails is told, and does not make the promotion undone. */
export async function attemptAfterwards<T>(
  context: RunContext,
  what: string,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await pRetry(work, { retries: stepAttemptsMax - 1, minTimeout: 1000, maxTimeout: 15_000 });
  } catch (error) {
    if (context.closing.aborted) throw error;
    const message = `live, but ${what} failed: ${messageOf(error)}; the next refresh tries again`;
    await context.event('error', 'run.incomplete', message);
    return null;
  }
}

async function swap(context: RunContext, copied: CopySummary): Promise<SwapRecord> {
  const { definition, run, environment } = context;
  const plans = await context.withApi((session) => planTables(session, context));
  const tellBlocked = blockersTeller(context);
  const record = await swapTables({
    apiUrl: environment.apiUrl,
    runId: run.id,
    media: run.media,
    version,
    tables: tablesOf(definition.media).map((mapping, index) => {
      const plan = plans[index];
      if (plan === undefined) throw new Error(`no plan of ${mapping.downstream}`);
      const nextId = copied.tables.find((table) => table.table === mapping.downstream)?.nextId;
      return {
        live: liveNameOf(mapping),
        plan,
        nextId: nextId === undefined ? null : BigInt(nextId),
        idColumn: mapping.idColumn,
      };
    }),
    insideSwap: async (session) => {
      await assertStillHeld(session, context);
      return applyAllDeletions(session, context);
    },
    expectedLiveOids: copied.liveOids,
    orphansMax: definition.environment.gate.orphansMax,
    lockWindowMs: definition.environment.promotion.lockWindowMinutes * 60_000,
    beforeTry: () => begin(context),
    onBlocked: async (blockers) => {
      await tellBlocked(blockers);
      await letGo(context);
    },
  });
  return record;
}

/** In the swap's transaction: a process that another one took over from swaps nothing any more. */
export async function assertStillHeld(session: Session, { run, leadership }: RunContext): Promise<void> {
  if (await isHeldBy(session, run.id, leadership.token)) return;
  throw new FreshetError('LEADERSHIP_LOST', `Another process has taken over run ${run.id}.`);
}

/** In the API database: live and previous can be told from there when the state database is lost. */
async function recordParts(context: RunContext, swapped: SwapRecord | null): Promise<void> {
  const { run } = context;
  const { main, filtered } = indexNamesOf(context);
  const tables = swapped === null ? await readLiveOids(context) : oidsIn(swapped);
  const parts = { runId: run.id, media: run.media, tables, mainIndex: main, filteredIndex: filtered };
  await context.withApi((session) => recordServed(session, parts));
}

/** The generation's tables are known only after the swap. */
async function recordTables({ state, run }: RunContext, record: SwapRecord): Promise<void> {
  await recordCandidateTables(state, run.id, oidsIn(record));
}

function oidsIn(record: SwapRecord): Record<string, number> {
  return Object.fromEntries(record.tables.map((table) => [table.live.name, table.liveOid]));
}

/** A record whose deletion was withdrawn after the copy left it out is not there: the operator may want to know. */
async function tellWithdrawals(context: RunContext): Promise<void> {
  const target = reconcileTargetOf(context, liveNameOf(context.definition.media.main));
  const withdrawn = await context.withApi((session) => countWithdrawnDeletions(session, target));
  if (withdrawn === 0) return;
  await context.event(
    'warning',
    'deletions.withdrawn',
    `${withdrawn} deletions were withdrawn while the run went on; those records come back with the next refresh`,
  );
}

/** The promoted tables are what the live ones were, but for declared columns; else somebody should know. */
export async function tellDifferences(context: RunContext, swapped: SwapRecord): Promise<void> {
  await context.withApi(async (session) => {
    for (const mapping of tablesOf(context.definition.media)) {
      const added = Object.keys(mapping.addedColumns);
      const compared = await compareWithBefore(session, liveNameOf(mapping), swapped, added);
      if (compared === null || compared.differences.length === 0) continue;
      const message = `${compared.table} is not what it was before: ${compared.differences.join('; ')}`;
      await context.event('warning', 'tables.differ', message);
    }
  });
}

/** Tells who is in the way, once per set of sessions. */
export function blockersTeller(context: RunContext): (blockers: readonly Blocker[]) => Promise<void> {
  let told = '';
  return async (blockers) => {
    const who = blockers.map(({ pid, table }) => `${pid} ${table}`).join();
    if (who === told) return;
    told = who;
    const list = blockers.map((blocker) => `${describeBlocker(blocker)} on ${blocker.table}`).join('; ');
    await context
      .event('warning', blockedEvent, `the promotion waits for ${list}`)
      .catch((error: unknown) => context.log(String(error)));
  };
}

/** Both aliases in one request, which also takes a held candidate's own aliases away. The filtered-index flow moves its alias alone. */
async function moveMediaAliases(context: RunContext): Promise<void> {
  const { media } = context.definition;
  const { alias, filteredAlias } = media.index;
  const names = indexNamesOf(context);
  const filtered = { alias: filteredAlias, to: names.filtered, from: null };
  const main = { alias, to: names.main, from: null };
  if (context.run.flow === 'filtered-index') await moveAliases(context.search, [filtered]);
  else await moveAliases(context.search, [main, filtered], candidateRemovals(media, names));
}
