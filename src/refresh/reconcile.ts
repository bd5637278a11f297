import { buildDocumentsById } from '../indexing/documentsById.js';
import type { QualifiedName } from '../postgres/identifiers.js';
import {
  applyDeletions,
  forgetRemoved,
  listFreshDeletions,
  listMarkChanges,
  listRemoved,
  recordDeletions,
  recordMarkChanges,
  type MarkChange,
  type ReconcileTarget,
} from '../postgres/reconcileTable.js';
import { withTransaction } from '../postgres/session.js';
import { findIdsByKeyword } from '../search/lookups.js';
import { deleteDocuments, indexDocuments } from '../search/writes.js';
import { fetchDocuments } from '../search/documents.js';
import type { RunContext } from './context.js';

export interface Reconciled {
  readonly rowsDeleted: number;
  readonly documentsDeleted: number;
  readonly documentsUpdated: number;
}

export function reconcileTargetOf({ definition, run }: RunContext, table: QualifiedName): ReconcileTarget {
  const { main, sensitiveMediaTable } = definition.media;
  const { idColumn, deletedMediaTable } = main;
  return { runId: run.id, table, idColumn, deletedMediaTable, sensitiveMediaTable };
}

/**
 * Applies what API writers changed since the run took their tables into account, to `table` and to the run's indexes. Each part is safe to
 * repeat: what was applied is recorded only after it is in the documents.
 */
export async function reconcile(
  context: RunContext,
  table: QualifiedName,
  indexes: { main: string; filtered: string },
): Promise<Reconciled> {
  const target = reconcileTargetOf(context, table);
  const fresh = await context.withApi((session) => listFreshDeletions(session, target));
  const rowsDeleted = await context.withApi((session) =>
    withTransaction(session, () => applyDeletions(session, target)),
  );
  const documentsDeleted = await deleteRemoved(context, target, fresh, indexes);
  const documentsUpdated = await applyMarks(context, target, indexes);
  return { rowsDeleted, documentsDeleted, documentsUpdated };
}

/**
 * Deletes the documents of deleted records: those whose rows we took out of the table, and those that the index still has although the
 * API took the row out itself (between swap and alias move it deletes from the old index).
 */
async function deleteRemoved(
  context: RunContext,
  target: ReconcileTarget,
  fresh: readonly string[],
  indexes: { main: string; filtered: string },
): Promise<number> {
  const removed = await context.withApi((session) => listRemoved(session, context.run.id));
  const found = await findIdsByKeyword(context.search, indexes.main, 'identifier', fresh);
  const ids = [...new Set([...removed.map(String), ...found])];
  if (ids.length > 0) {
    await deleteDocuments(context.search, indexes.filtered, ids);
    await deleteDocuments(context.search, indexes.main, ids);
  }
  await context.withApi((session) =>
    withTransaction(session, async () => {
      await forgetRemoved(session, context.run.id, removed);
      await recordDeletions(session, target, fresh);
    }),
  );
  return ids.length;
}

/** Builds the documents of changed records anew: what a mark does to a document is the builder's to say. */
async function applyMarks(
  context: RunContext,
  target: ReconcileTarget,
  indexes: { main: string; filtered: string },
): Promise<number> {
  const changes = await context.withApi((session) => listMarkChanges(session, target));
  if (changes.length === 0) return 0;
  await writeMarks(context, target, changes, indexes);
  await context.withApi((session) =>
    withTransaction(session, () => recordMarkChanges(session, target, changes)),
  );
  return changes.filter((change) => change.id !== null).length;
}

async function writeMarks(
  context: RunContext,
  target: ReconcileTarget,
  changes: readonly MarkChange[],
  indexes: { main: string; filtered: string },
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
  await indexDocuments(context.search, indexes.main, documents);
  const inFiltered = await fetchDocuments(
    context.search,
    indexes.filtered,
    documents.map((document) => document.id),
  );
  await indexDocuments(
    context.search,
    indexes.filtered,
    documents.filter((document) => (inFiltered.get(document.id) ?? null) !== null),
  );
}
