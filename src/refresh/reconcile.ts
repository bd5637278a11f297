import { failpoint } from '../failpoints.js';
import type { TableMapping } from '../config/types.js';
import { reconcilePassesMax } from '../limits.js';
import { buildDocumentsById } from '../indexing/documentsById.js';
import { tempTableOf, type QualifiedName } from '../postgres/identifiers.js';
import {
  applyDeletions,
  applyDeletionToLive,
  forgetRemoved,
  listFreshDeletions,
  listMarkChanges,
  listRemoved,
  recordDeletions,
  recordMarkChanges,
  type MarkChange,
  type ReconcileTarget,
} from '../postgres/reconcileTable.js';
import { withTransaction, type Session } from '../postgres/session.js';
import { refreshIndex } from '../search/counts.js';
import { findIdsByKeyword } from '../search/lookups.js';
import { deleteDocuments, indexDocuments } from '../search/writes.js';
import { fetchDocuments } from '../search/documents.js';
import type { RunContext } from './context.js';
import { liveNameOf } from './tables.js';

export interface Reconciled {
  readonly rowsDeleted: number;
  readonly documentsDeleted: number;
  readonly documentsUpdated: number;
}

/** @param runId whose record says what was applied: a rollback goes on with that of the run that built the generation. */
export function reconcileTargetOf(
  { definition, run }: RunContext,
  table: QualifiedName,
  runId = run.id,
): ReconcileTarget {
  const { main, sensitiveMediaTable } = definition.media;
  const { idColumn, deletedMediaTable } = main;
  return { runId, table, idColumn, deletedMediaTable, sensitiveMediaTable };
}

/** The tables that nobody reads yet, and whose run has taken into account what API writers did. */
export interface OwnTables {
  readonly runId: string;
  readonly nameOf: (mapping: TableMapping) => QualifiedName;
}

/** The temp tables of a run. */
export function tempTablesOf({ run }: RunContext): OwnTables {
  return { runId: run.id, nameOf: (mapping) => tempTableOf(liveNameOf(mapping)) };
}

/** What a pass may change. Before the promotion a run writes to nothing that readers see. */
export interface ReconcileScope {
  /** The rows that documents are built from. */
  readonly table: QualifiedName;
  /** `own`: a temp table, rows leave it; `live`: the promoted table, rows leave it that nothing refers to; `untouched`: the API's own. */
  readonly rows: 'own' | 'live' | 'untouched';
  /** The run's own indexes. */
  readonly indexes: readonly string[];
  /** Default: the run's temp tables. */
  readonly own?: OwnTables;
  /** The phase that it belongs to. */
  readonly phase: ReconcilingPhase;
}

type ReconcilingPhase = 'reconcile' | 'promote';

/**
 * Applies what API writers changed since the run took their tables into account, pass by pass until one finds nothing: what they do during a
 * pass, which it may have overwritten, is the next one's difference. What was applied is recorded only after it is in the documents.
 */
export async function reconcile(context: RunContext, scope: ReconcileScope): Promise<Reconciled> {
  const total = { rowsDeleted: 0, documentsDeleted: 0, documentsUpdated: 0 };
  for (let pass = 1; pass <= reconcilePassesMax; pass += 1) {
    const found = await reconcileOnce(context, scope, total);
    if (!found) break;
  }
  // A taken-down record is gone from searches now, not a refresh interval later.
  if (total.documentsDeleted + total.documentsUpdated > 0) {
    for (const index of scope.indexes) await refreshIndex(context.search, index);
  }
  return total;
}

/** @returns whether there was anything to do. */
async function reconcileOnce(
  context: RunContext,
  scope: ReconcileScope,
  total: { rowsDeleted: number; documentsDeleted: number; documentsUpdated: number },
): Promise<boolean> {
  const own = scope.own ?? tempTablesOf(context);
  const target = reconcileTargetOf(context, scope.table, own.runId);
  if (scope.rows === 'own') await deleteFromAdditional(context, own);
  const fresh = await context.withApi((session) => listFreshDeletions(session, target));
  const rowsDeleted = await deleteRows(context, target, scope, fresh);
  failpoint(`${scope.phase}.rows`);
  const deleted = await deleteRemoved(context, target, fresh, scope);
  failpoint(`${scope.phase}.deleted`);
  const updated = await applyMarks(context, target, scope);
  total.rowsDeleted += rowsDeleted;
  total.documentsDeleted += deleted.documents;
  total.documentsUpdated += updated.documents;
  return fresh.length > 0 || deleted.removed > 0 || updated.changes > 0;
}

async function deleteRows(
  context: RunContext,
  target: ReconcileTarget,
  { rows }: ReconcileScope,
  fresh: readonly string[],
): Promise<number> {
  if (rows === 'untouched' || fresh.length === 0) return 0;
  return context.withApi(async (session) => {
    if (rows === 'own') return withTransaction(session, () => applyDeletions(session, target));
    let deleted = 0;
    for (const identifier of fresh) {
      if (await applyDeletionToLive(session, target, identifier)) deleted += 1;
      else await tellReferredTo(context, identifier);
    }
    return deleted;
  });
}

function tellReferredTo(context: RunContext, identifier: string): Promise<void> {
  return context.event(
    'warning',
    'deletion.referred',
    `the record ${identifier} is listed as deleted, but other rows refer to it: its document goes, its row stays`,
  );
}

/** Additional tables have no documents: their rows go, and the difference is recorded with the main table's where both share a list. */
async function deleteFromAdditional(context: RunContext, own: OwnTables): Promise<void> {
  const { additional, main } = context.definition.media;
  for (const mapping of additional) {
    if (mapping.deletedMediaTable === null) continue;
    const target = additionalTargetOf(own, mapping);
    await context.withApi(async (session) => {
      const fresh = await listFreshDeletions(session, target);
      await withTransaction(session, () => applyDeletions(session, target, false));
      if (mapping.deletedMediaTable !== main.deletedMediaTable) await recordDeletions(session, target, fresh);
    });
  }
}

/** In the swap's transaction: rows that writers deleted since the last pass leave the tables that become live. @returns rows deleted. */
export async function applyAllDeletions(
  session: Session,
  context: RunContext,
  own = tempTablesOf(context),
): Promise<number> {
  const { main, additional } = context.definition.media;
  let deleted = await applyDeletions(session, reconcileTargetOf(context, own.nameOf(main), own.runId));
  for (const mapping of additional) {
    if (mapping.deletedMediaTable === null) continue;
    deleted += await applyDeletions(session, additionalTargetOf(own, mapping), false);
  }
  return deleted;
}

function additionalTargetOf({ runId, nameOf }: OwnTables, mapping: TableMapping): ReconcileTarget {
  const { idColumn, deletedMediaTable } = mapping;
  return { runId, table: nameOf(mapping), idColumn, deletedMediaTable, sensitiveMediaTable: null };
}

/**
 * Deletes the documents of deleted records: those whose rows we took out of the table, and those that the indexes still have although the
 * API took the row out itself (between swap and alias move it deletes from the old index).
 */
async function deleteRemoved(
  context: RunContext,
  target: ReconcileTarget,
  fresh: readonly string[],
  { indexes, phase }: ReconcileScope,
): Promise<{ documents: number; removed: number }> {
  const removed = await context.withApi((session) => listRemoved(session, target.runId));
  const ids = new Set(removed.map(String));
  for (const index of fresh.length > 0 ? indexes : []) {
    await refreshIndex(context.search, index);
    for (const id of await findIdsByKeyword(context.search, index, 'identifier', fresh)) ids.add(id);
  }
  for (const index of ids.size > 0 ? indexes : []) await deleteDocuments(context.search, index, [...ids]);
  failpoint(`${phase}.documents`);
  await context.withApi((session) =>
    withTransaction(session, async () => {
      await forgetRemoved(session, target.runId, removed);
      await recordDeletions(session, target, fresh);
    }),
  );
  return { documents: ids.size, removed: removed.length };
}

/** Builds the documents of changed records anew: what a mark does to a document is the builder's to say. */
async function applyMarks(
  context: RunContext,
  target: ReconcileTarget,
  { indexes, phase }: ReconcileScope,
): Promise<{ documents: number; changes: number }> {
  const changes = await context.withApi((session) => listMarkChanges(session, target));
  if (changes.length === 0) return { documents: 0, changes: 0 };
  await writeMarks(context, target, changes, indexes);
  failpoint(`${phase}.marks`);
  await context.withApi((session) =>
    withTransaction(session, () => recordMarkChanges(session, target, changes)),
  );
  return { documents: changes.filter((change) => change.id !== null).length, changes: changes.length };
}

/** Only documents that an index has are written: a filtered index lacks what it hides. */
async function writeMarks(
  context: RunContext,
  target: ReconcileTarget,
  changes: readonly MarkChange[],
  indexes: readonly string[],
): Promise<void> {
  const ids = changes.flatMap((change) => (change.id === null ? [] : [change.id]));
  // Without a run id the builder sees the sensitive-media table as it is now, which is what the changes lead to.
  const documents = await buildDocumentsById({
    apiUrl: context.environment.apiUrl,
    media: context.definition.media,
    table: target.table,
    runId: null,
    ids,
  });
  const documentIds = documents.map((document) => document.id);
  for (const index of indexes) {
    const present = await fetchDocuments(context.search, index, documentIds);
    const known = documents.filter((document) => (present.get(document.id) ?? null) !== null);
    await indexDocuments(context.search, index, known);
  }
}
