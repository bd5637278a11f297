import { failpoint } from '../../failpoints.js';
import { promoteAttemptsMax, rollbackLockWindowMs } from '../../limits.js';
import { pausepoint } from '../../pausepoint.js';
import { recordKnownMarks } from '../../postgres/applied.js';
import { stripWatchers } from '../../postgres/previousTables.js';
import { listNewestSwaps, recordServedAgain } from '../../postgres/promotions.js';
import type { Session } from '../../postgres/session.js';
import { readSwap, swapTables, validateForeignKeys, type SwapRecord } from '../../postgres/swap.js';
import type { TempTablePlan } from '../../postgres/tempTablePlan.js';
import type { TableMapping } from '../../config/types.js';
import { recordRollback, type Generation } from '../../state/generations.js';
import { version } from '../../version.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { applyAllDeletions, reconcile, type OwnTables, type Reconciled } from '../reconcile.js';
import { planBack, readRollback, type Rollback } from '../rollbackTables.js';
import { liveNameOf, tablesOf } from '../tables.js';
import {
  assertStillHeld,
  attemptAfterwards,
  begin,
  finishAliases,
  blockersTeller,
  letGo,
  reconcileLive,
  tellDifferences,
} from './promote.js';

export interface RolledBack {
  /** The run whose generation is live again. */
  readonly generation: string;
  readonly lockHeldMs: number | null;
  readonly lockRetries: number | null;
  /** Rows of other tables that refer to records which only the generation that was taken back has. */
  readonly orphansKept: number;
  /** Rows of other tables whose records are back. */
  readonly orphansReturned: number;
  readonly reconciled: Reconciled | null;
}

/** The tables of the generation that becomes live again, under the names that they have until the swap. */
function previousTables(
  { definition }: RunContext,
  { to }: Rollback,
  plans: readonly TempTablePlan[],
): OwnTables {
  const names = new Map(tablesOf(definition.media).map((mapping, place) => [mapping, plans[place]?.temp]));
  return { runId: to.runId, nameOf: (mapping: TableMapping) => names.get(mapping) ?? liveNameOf(mapping) };
}

/** What API writers deleted and marked, and the marks that they took back, since the generation was live: in its tables and indexes. */
export const applyTakeDowns: Step<Reconciled> = async (context) => {
  const found = await readRollback(context);
  const { main, sensitiveMediaTable: relation } = context.definition.media;
  const plans = await context.withApi(async (session) => {
    const planned = await planBack(session, context, found);
    await stripWatchers(session, planned);
    const runs = { runId: found.to.runId, liveRunId: found.from.runId };
    if (relation !== null) await recordKnownMarks(session, { ...runs, relation });
    return planned;
  });
  const own = previousTables(context, found, plans);
  const { main: index, filtered } = indexNamesOf(context);
  return reconcile(context, {
    table: own.nameOf(main),
    rows: plans.length === 0 ? 'untouched' : 'own',
    indexes: [filtered, index],
    own,
    phase: 'reconcile',
  });
};

/** As a promotion: all tables in one transaction, then both aliases in one request, read back. Running it twice is harmless. */
export const promotePrevious: Step<RolledBack> = async (context) => {
  await begin(context);
  failpoint('promote.begun');
  const swapped = context.run.parameters.skipCopyData ? null : await swapBack(context);
  failpoint('promote.tablesSwapped');
  await pausepoint('promote.tablesSwapped');
  return completeRollback(context, swapped);
};

async function swapBack(context: RunContext): Promise<SwapRecord> {
  const { definition, run, environment } = context;
  const done = await context.withApi((session) => readSwap(session, run.id));
  if (done !== null) return done;
  const found = await readRollback(context);
  const { plans, returning } = await context.withApi(async (session) => ({
    plans: await planBack(session, context, found),
    returning: await findOrphans(session, run.media, found.to),
  }));
  const own = previousTables(context, found, plans);
  const tellBlocked = blockersTeller(context);
  return swapTables({
    apiUrl: environment.apiUrl,
    runId: run.id,
    generation: found.to.runId,
    media: run.media,
    version,
    tables: tablesOf(definition.media).map((mapping, place) => ({
      live: liveNameOf(mapping),
      plan: plans[place] as TempTablePlan,
      // The sequence goes on: an id never names two records.
      nextId: null,
      idColumn: mapping.idColumn,
    })),
    insideSwap: async (session) => {
      await assertStillHeld(session, context);
      return applyAllDeletions(session, context, own);
    },
    returning,
    lockWindowMs: rollbackLockWindowMs,
    beforeTry: () => begin(context),
    onBlocked: async (blockers) => {
      await tellBlocked(blockers);
      await letGo(context);
    },
  });
}

/** Rows that the swap had put aside which took this generation's tables away. */
async function findOrphans(session: Session, media: string, to: Generation): Promise<SwapRecord['orphans']> {
  const newest = (await listNewestSwaps(session)).find(({ record }) => record.media === media)?.record;
  const replaced = newest?.tables.map(({ previousOid }) => previousOid) ?? [];
  return Object.values(to.tables).every((oid) => replaced.includes(oid)) ? (newest?.orphans ?? []) : [];
}

/** All that follows the swap. Also done for a run that gave up in between (`finishPromotion.ts`). */
export async function completeRollback(
  context: RunContext,
  swapped: SwapRecord | null,
  retries = promoteAttemptsMax,
): Promise<RolledBack> {
  const { to } = await readRollback(context);
  await finishAliases(context, swapped, retries, () => recordLiveAgain(context, to));
  const own = { runId: to.runId, nameOf: liveNameOf };
  const reconciled = await reconcileLive(context, swapped === null ? 'untouched' : 'live', own);
  failpoint('promote.reconciled');
  if (swapped !== null) {
    await attemptAfterwards(context, 'validating foreign keys', () =>
      validateForeignKeys(context.environment.apiUrl, swapped),
    );
    await attemptAfterwards(context, 'comparing the tables', () => tellDifferences(context, swapped));
  }
  return {
    generation: to.runId,
    lockHeldMs: swapped?.lockHeldMs ?? null,
    lockRetries: swapped?.lockRetries ?? null,
    orphansKept: swapped?.orphans.reduce((sum, { rows }) => sum + rows, 0) ?? 0,
    orphansReturned: swapped?.orphansReturned ?? 0,
    reconciled,
  };
}

/** In the API database first, from which a lost state learns what is live. */
export async function recordLiveAgain(context: RunContext, { runId }: Generation): Promise<void> {
  await context.withApi((session) => recordServedAgain(session, runId, context.run.media));
  failpoint('promote.parts');
  await recordRollback(context.state, runId);
}
