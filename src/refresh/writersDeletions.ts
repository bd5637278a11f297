import { listFreshDeletions } from '../postgres/reconcileTable.js';
import { readCounts, recordCounts } from '../state/records.js';
import type { RunContext } from './context.js';
import { reconcileTargetOf } from './reconcile.js';
import { indexedTableOf, tablesOf } from './tables.js';

/** Deletions that API writers recorded since the run took the deleted-media table into account at its start. */
export interface WritersDeletions {
  /** Those that the run has taken into account since. */
  readonly reconciled: number;
  /** Those that it has not. */
  readonly fresh: number;
}

/** Records how many deletions the run took into account at its start. Belongs into the step that does so, behind it. */
export async function noteApplied(context: RunContext): Promise<void> {
  const relations = new Set(tablesOf(context.definition.media).map((mapping) => mapping.deletedMediaTable));
  const counts: Record<string, number> = {};
  for (const relation of relations) {
    if (relation !== null) counts[relation] = await countApplied(context, relation);
  }
  await recordCounts(context.state, context.run.id, 'applied', counts);
}

/**
 * Read it behind what it is to explain: a deletion that was seen there must not be missing here. Where the number at the start is not known,
 * nothing counts as reconciled, which explains less.
 */
export async function countWritersDeletions(context: RunContext): Promise<WritersDeletions> {
  const relation = context.definition.media.main.deletedMediaTable;
  if (relation === null) return { reconciled: 0, fresh: 0 };
  const target = reconcileTargetOf(context, indexedTableOf(context));
  const fresh = await context.withApi((session) => listFreshDeletions(session, target));
  return { reconciled: await countReconciled(context, relation), fresh: new Set(fresh).size };
}

/** Deletions of a list that the run has taken into account since its start. */
export async function countReconciled(context: RunContext, relation: string): Promise<number> {
  const applied = await countApplied(context, relation);
  const { [relation]: atStart = applied } = await readCounts(context.state, context.run.id, 'applied');
  return Math.max(0, applied - atStart);
}

async function countApplied(context: RunContext, relation: string): Promise<number> {
  const { rows } = await context.withApi((session) =>
    session.query<{ applied: string }>(
      'select count(*) as applied from freshet.applied where run_id = $1 and relation = $2',
      [context.run.id, relation],
    ),
  );
  return Number(rows[0]?.applied);
}
