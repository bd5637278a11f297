import { parseQualifiedName, quoteIdentifier, quoteQualified, type QualifiedName } from './identifiers.js';
import { withTransaction, type Session } from './session.js';

/** What a run applies of the API writers' changes, and to which table. */
export interface ReconcileTarget {
  readonly runId: string;
  readonly table: QualifiedName;
  readonly idColumn: string;
  /** Tables with an `identifier` column, as the configuration names them. Null = none. */
  readonly deletedMediaTable: string | null;
  readonly sensitiveMediaTable: string | null;
}

/**
 * Applies deletions made since the run took the deleted-media table into account to a table that nobody reads yet: the rows leave it, and
 * with `keepIds` their ids are kept in `freshet.removed` until their documents are gone too (`listRemoved`, `forgetRemoved`). Both in the
 * caller's transaction, so that a crash between table and index loses nothing.
 * @returns rows deleted.
 */
export async function applyDeletions(
  session: Session,
  target: ReconcileTarget,
  keepIds = true,
): Promise<number> {
  if (target.deletedMediaTable === null) return 0;
  const { rowCount } = await session.query(deletionStatement(target, keepIds, freshDeletions(target)), [
    target.runId,
    target.deletedMediaTable,
  ]);
  return rowCount ?? 0;
}

function freshDeletions({ deletedMediaTable }: ReconcileTarget): string {
  const relation = quoteQualified(parseQualifiedName(deletedMediaTable ?? ''));
  return `select d.identifier from ${relation} d
     where d.identifier is not null and not exists (
       select from freshet.applied a where a.run_id = $1 and a.relation = $2 and a.identifier = d.identifier)`;
}

/** Parameters: $1 the run, $2 the deleted-media table. */
function deletionStatement(target: ReconcileTarget, keepIds: boolean, fresh: string): string {
  const id = `t.${quoteIdentifier(target.idColumn)}`;
  const kept = keepIds
    ? `, kept as (insert into freshet.removed (run_id, identifier, id) select $1, identifier, id from gone on conflict do nothing)`
    : '';
  return `with fresh as (${fresh}), gone as (
       delete from ${quoteQualified(target.table)} t using fresh where t.identifier = fresh.identifier
       returning t.identifier, ${id} as id)${kept}
     select identifier from gone`;
}

/**
 * Applies one deletion to the live table, where other tables may refer to the record: then nothing happens, because whoever deletes a record
 * says what becomes of what refers to it.
 * @returns false when something refers to it.
 */
export async function applyDeletionToLive(
  session: Session,
  target: ReconcileTarget,
  identifier: string,
): Promise<boolean> {
  try {
    await withTransaction(session, async () => {
      await session.query(`set local lock_timeout = '1s'`);
      // What watches deletions in the live table runs as if an application had made this one.
      await session.query('set local search_path = "$user", public; set local row_security = on');
      await session.query('set constraints all immediate');
      const fresh = 'select $3::uuid as identifier where $2::text is not null';
      await session.query(deletionStatement(target, true, fresh), [
        target.runId,
        target.deletedMediaTable,
        identifier,
      ]);
    });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === foreignKeyViolation) return false;
    throw error;
  }
}

const foreignKeyViolation = '23503';

/** Identifiers that the deleted-media table lists and the run has not taken into account yet. */
export async function listFreshDeletions(session: Session, target: ReconcileTarget): Promise<string[]> {
  if (target.deletedMediaTable === null) return [];
  const { rows } = await session.query<{ identifier: string }>(freshDeletions(target), [
    target.runId,
    target.deletedMediaTable,
  ]);
  return rows.map((row) => row.identifier);
}

/** How many deletions that the run has taken into account were withdrawn since: those records come back with the next refresh. */
export async function countWithdrawnDeletions(session: Session, target: ReconcileTarget): Promise<number> {
  if (target.deletedMediaTable === null) return 0;
  const relation = quoteQualified(parseQualifiedName(target.deletedMediaTable));
  const { rows } = await session.query<{ withdrawn: string }>(
    `select count(*) as withdrawn from freshet.applied a
     where a.run_id = $1 and a.relation = $2 and not exists (select from ${relation} d where d.identifier = a.identifier)`,
    [target.runId, target.deletedMediaTable],
  );
  return Number(rows[0]?.withdrawn);
}

/** These deletions are in table and documents now. */
export async function recordDeletions(
  session: Session,
  target: ReconcileTarget,
  identifiers: readonly string[],
): Promise<void> {
  await session.query(
    `insert into freshet.applied (run_id, relation, identifier) select $1, $2, unnest($3::uuid[]) on conflict do nothing`,
    [target.runId, target.deletedMediaTable, identifiers],
  );
}

/** Ids whose rows are gone and whose documents must go. */
export async function listRemoved(session: Session, runId: string): Promise<bigint[]> {
  const { rows } = await session.query<{ id: string }>('select id from freshet.removed where run_id = $1', [
    runId,
  ]);
  return rows.map((row) => BigInt(row.id));
}

/** The documents of these ids are gone. */
export async function forgetRemoved(session: Session, runId: string, ids: readonly bigint[]): Promise<void> {
  await session.query('delete from freshet.removed where run_id = $1 and id = any($2::bigint[])', [
    runId,
    ids.map(String),
  ]);
}

/** A record whose sensitive mark came or went since the run took the table into account. */
export interface MarkChange {
  readonly identifier: string;
  /** Null where the table has no such record. */
  readonly id: bigint | null;
  readonly sensitive: boolean;
}

/** The difference between the sensitive-media table and what the run has applied of it. */
export async function listMarkChanges(session: Session, target: ReconcileTarget): Promise<MarkChange[]> {
  if (target.sensitiveMediaTable === null) return [];
  const relation = quoteQualified(parseQualifiedName(target.sensitiveMediaTable));
  const { rows } = await session.query<{ identifier: string; id: string | null; sensitive: boolean }>(
    `with changed as (
       select coalesce(s.identifier, a.identifier) as identifier, s.identifier is not null as sensitive
       from (select identifier from ${relation} where identifier is not null) s
       full join (select identifier from freshet.applied where run_id = $1 and relation = $2) a using (identifier)
       where s.identifier is null or a.identifier is null)
     select c.identifier, t.${quoteIdentifier(target.idColumn)}::text as id, c.sensitive
     from changed c left join ${quoteQualified(target.table)} t on t.identifier = c.identifier`,
    [target.runId, target.sensitiveMediaTable],
  );
  return rows.map((row) => ({ ...row, id: row.id === null ? null : BigInt(row.id) }));
}

/** Records that these changes of marks are in the documents now, or are about to be built into them. */
export async function recordMarkChanges(
  session: Session,
  target: ReconcileTarget,
  changes: readonly MarkChange[],
): Promise<void> {
  const of = (sensitive: boolean): string[] =>
    changes.filter((change) => change.sensitive === sensitive).map((change) => change.identifier);
  await session.query(
    `insert into freshet.applied (run_id, relation, identifier) select $1, $2, unnest($3::uuid[]) on conflict do nothing`,
    [target.runId, target.sensitiveMediaTable, of(true)],
  );
  await session.query(
    `delete from freshet.applied where run_id = $1 and relation = $2 and identifier = any($3::uuid[])`,
    [target.runId, target.sensitiveMediaTable, of(false)],
  );
}
