import { swapLockWindowMs } from '../../limits.js';
import { applyDeletions, countWithdrawnDeletions } from '../../postgres/reconcileTable.js';
import { swapTables, validateForeignKeys, type Blocker } from '../../postgres/swap.js';
import { moveAliases } from '../../search/aliases.js';
import { recordCandidate, recordPromotion } from '../../state/generations.js';
import { setRunState } from '../../state/runs.js';
import { version } from '../../version.js';
import { failpoint } from '../../failpoints.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { reconcile, reconcileTargetOf, type Reconciled } from '../reconcile.js';
import { liveNameOf, planTables, tablesOf } from '../tables.js';
import type { CopySummary } from './copyData.js';

export interface Promoted {
  readonly lockHeldMs: number | null;
  readonly lockRetries: number | null;
  readonly orphansKept: number;
  readonly reconciled: Reconciled;
}

/**
 * Makes the candidate live: all tables of the media type in one transaction, then both aliases in one request, read back. Running it twice
 * is harmless; after a crash between the two it goes on with the aliases.
 */
export const promote =
  (copied: CopySummary): Step<Promoted> =>
  async (context) => {
    await setRunState(context.state, context.run.id, 'promoting');
    failpoint('promote.before');
    const swapped = context.run.parameters.skipCopyData ? null : await swap(context, copied);
    failpoint('promote.tablesSwapped');
    await moveMediaAliases(context);
    failpoint('promote.aliasesMoved');
    await recordPromotion(context.state, context.run.id);
    const live = liveNameOf(context.definition.media.main);
    const reconciled = await reconcile(context, live, indexNamesOf(context));
    await tellWithdrawals(context);
    if (swapped !== null) await validateForeignKeys(context.environment.apiUrl, swapped);
    failpoint('promote.after');
    return {
      lockHeldMs: swapped?.lockHeldMs ?? null,
      lockRetries: swapped?.lockRetries ?? null,
      orphansKept: swapped?.orphans.reduce((sum, orphans) => sum + orphans.rows, 0) ?? 0,
      reconciled,
    };
  };

/** Moves the filtered alias alone. */
export const promoteFiltered: Step<Reconciled> = async (context) => {
  await setRunState(context.state, context.run.id, 'promoting');
  await moveMediaAliases(context);
  failpoint('promote.aliasesMoved');
  await recordPromotion(context.state, context.run.id);
  return reconcile(context, liveNameOf(context.definition.media.main), indexNamesOf(context));
};

async function swap(context: RunContext, copied: CopySummary) {
  const { definition, run, environment } = context;
  const plans = await context.withApi((session) => planTables(session, context));
  const target = reconcileTargetOf(context, liveNameOf(definition.media.main));
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
      };
    }),
    insideSwap: async (session) => {
      await applyDeletions(session, { ...target, table: plans[0]?.temp ?? target.table });
    },
    lockWindowMs: swapLockWindowMs,
    onBlocked: tellBlockers(context),
    shouldStop: () => false,
  });
  await recordCandidate(context.state, {
    environment: run.environment,
    media: run.media,
    runId: run.id,
    tables: Object.fromEntries(record.tables.map((table) => [table.live.name, table.liveOid])),
    mainIndex: indexNamesOf(context).main,
    filteredIndex: indexNamesOf(context).filtered,
  });
  return record;
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

/** Tells who is in the way, once per set of sessions. */
function tellBlockers(context: RunContext): (blockers: readonly Blocker[]) => void {
  let told = '';
  return (blockers) => {
    const list = blockers
      .map((blocker) => `pid ${blocker.pid} of ${blocker.user} on ${blocker.table} (${blocker.state})`)
      .join(', ');
    if (list === told) return;
    told = list;
    context
      .event('warning', 'promotion.blocked', `the promotion waits for ${list}`)
      .catch((error: unknown) => context.log(String(error)));
  };
}

/** Both aliases in one request. The filtered-index flow moves its alias alone. */
async function moveMediaAliases(context: RunContext): Promise<void> {
  const { alias, filteredAlias } = context.definition.media.index;
  const names = indexNamesOf(context);
  const filtered = { alias: filteredAlias, to: names.filtered, from: null };
  const main = { alias, to: names.main, from: null };
  await moveAliases(context.search, context.run.flow === 'refresh' ? [main, filtered] : [filtered]);
}
