import { FreshetError } from '../errors.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from './identifiers.js';
import { writePart } from './marks.js';
import { keptOrphansName } from './names.js';
import type { Session } from './session.js';
import { readColumns } from './shape/columns.js';
import type { KeptOrphans } from './swapRecord.js';
import { findRelation } from './tempTable.js';
import { keysFromOutside, type TempTablePlan } from './tempTablePlan.js';
import type { ForeignKeyShape } from './tableShape.js';

/** Rows of another table that refer to records which vanish. */
export interface OrphanCount {
  readonly table: QualifiedName;
  readonly foreignKey: string;
  readonly target: QualifiedName;
  readonly rows: number;
}

/**
 * Which rows `r` of the key's table would refer to nothing, with the key's own equality operators (a citext key equals otherwise than its
 * text). A key with a null refers to nothing already. Pure.
 */
function orphanCondition(key: ForeignKeyShape, temp: QualifiedName): string {
  const notNull = key.columns.map((column) => `r.${quoteIdentifier(column)} is not null`);
  const equal = key.columns.map((column, position) => {
    const target = quoteIdentifier(key.targetColumns[position] ?? '');
    return `t.${target} operator(${key.operators[position] ?? 'pg_catalog.='}) r.${quoteIdentifier(column)}`;
  });
  return `${notNull.join(' and ')} and not exists (select from ${quoteQualified(temp)} t where ${equal.join(' and ')})`;
}

async function countRows(session: Session, key: ForeignKeyShape, temp: QualifiedName): Promise<number> {
  const { rows } = await session.query<{ count: string }>(
    `select count(*)::text as count from ${quoteQualified(key.table)} r where ${orphanCondition(key, temp)}`,
  );
  return Number(rows[0]?.count ?? 0);
}

/** Counts, per key that points at one of the live tables, the rows that would refer to nothing after the swap. Needs the temp tables' keys. */
export async function countOrphans(
  session: Session,
  plans: readonly TempTablePlan[],
): Promise<OrphanCount[]> {
  const counts: OrphanCount[] = [];
  for (const plan of plans) {
    for (const key of keysFromOutside(plan, plan.shape.inboundKeys)) {
      const rows = await countRows(session, key, plan.temp);
      counts.push({ table: key.table, foreignKey: key.name, target: key.target, rows });
    }
  }
  return counts;
}

/** Deleting a row that others refer to, or that a trigger watches, would change more than is kept. */
async function assertMovable(session: Session, key: ForeignKeyShape, rows: number): Promise<void> {
  const { rows: found } = await session.query<{ watcher: string }>(
    `select 'foreign key ' || quote_ident(conname) || ' of ' || conrelid::regclass::text as watcher
       from pg_constraint where confrelid = $1 and contype = 'f'
     union all
     select 'trigger ' || quote_ident(tgname) from pg_trigger
       where tgrelid = $1 and not tgisinternal and tgenabled <> 'D' and tgtype & 8 <> 0`,
    [key.tableOid],
  );
  if (found.length === 0) return;
  const table = `${key.table.schema}.${key.table.name}`;
  const watchers = found.map(({ watcher }) => watcher);
  throw new FreshetError(
    'ORPHANS_NOT_MOVABLE',
    `${rows} rows of ${table} refer to records that vanish, but cannot be put aside because of ${watchers.join(', ')}.`,
    { table, rows, watchers },
  );
}

export interface OrphanMove {
  readonly runId: string;
  readonly media: string;
  readonly version: string;
  readonly key: ForeignKeyShape;
  readonly temp: QualifiedName;
  /** Of the key among all keys of the swap; part of the kept table's name. */
  readonly position: number;
}

async function createKeptTable(
  session: Session,
  move: OrphanMove,
): Promise<{ kept: QualifiedName; keptOid: number }> {
  const kept = { schema: 'freshet', name: keptOrphansName(move.runId, move.position) };
  await session.query(`create table ${quoteQualified(kept)} (like ${quoteQualified(move.key.table)})`);
  const keptOid = await findRelation(session, kept);
  if (keptOid === null) throw new FreshetError('INTERNAL', `${kept.name} is not there after its creation.`);
  await writePart(session, {
    oid: keptOid,
    name: kept,
    liveName: move.key.target.name,
    kind: 'orphans',
    runId: move.runId,
    media: move.media,
    role: 'previous',
    snapshotAt: null,
    version: move.version,
  });
  return { kept, keptOid };
}

/**
 * Moves the rows that would refer to nothing to a kept table of ours, from which a rollback brings them back. In the swap transaction,
 * with writers of the key's table kept out. `before`: what an earlier move of this transaction kept of this key; the rest joins it.
 * Null where there are none.
 */
export async function moveOrphans(
  session: Session,
  move: OrphanMove,
  before: KeptOrphans | null = null,
): Promise<KeptOrphans | null> {
  const { key, temp } = move;
  const rows = await countRows(session, key, temp);
  if (rows === 0) return before;
  await assertMovable(session, key, rows);
  const { kept, keptOid } = before ?? (await createKeptTable(session, move));
  const columns = (await readColumns(session, key.tableOid)).map(({ name }) => name);
  const list = columns.map(quoteIdentifier).join(', ');
  await session.query(
    `with moved as (delete from ${quoteQualified(key.table)} r where ${orphanCondition(key, temp)} returning ${columns.map((name) => `r.${quoteIdentifier(name)}`).join(', ')})
     insert into ${quoteQualified(kept)} (${list}) select ${list} from moved`,
  );
  return { kept, keptOid, table: key.table, foreignKey: key.name, columns, rows: rows + (before?.rows ?? 0) };
}
