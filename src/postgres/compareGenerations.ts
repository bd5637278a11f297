import { diffTables } from './finishTempTable.js';
import { quoteQualified, tempTableOf, type QualifiedName } from './identifiers.js';
import { hasMarks, readPart } from './marks.js';
import type { Session } from './session.js';
import { diffShapes } from './shape/diff.js';
import type { SwapRecord } from './swapRecord.js';
import { describeTable, type TableShape } from './tableShape.js';
import { findRelation } from './tempTable.js';

/** How a live table differs from another one, but for the columns that were declared to be added. */
export interface TableComparison {
  /** The live table. */
  readonly table: string;
  /** `before`: what was live until the promotion. `candidate`: what a run has ready, or is still making. */
  readonly with: 'before' | 'candidate';
  /** The run that made the newer one of the two. */
  readonly runId: string;
  /** Declared columns that only the newer one has. */
  readonly additions: readonly string[];
  /** One sentence each; empty = there is none. */
  readonly differences: readonly string[];
}

const label = ({ schema, name }: QualifiedName): string => `${schema}.${name}`;

/** Oids of tables that freshet made and that are not live: their keys are nobody's business. */
async function listOwnOids(session: Session): Promise<number[]> {
  if (!(await hasMarks(session))) return [];
  const { rows } = await session.query<{ oid: number }>(`select oid from freshet.parts where role <> 'live'`);
  return rows.map(({ oid }) => oid);
}

/** A table's shape without the keys of temp tables and previous tables that point at it. */
export async function withoutOwnKeys(session: Session, shape: TableShape): Promise<TableShape> {
  const own = await listOwnOids(session);
  return { ...shape, inboundKeys: shape.inboundKeys.filter(({ tableOid }) => !own.includes(tableOid)) };
}

function newColumns(older: TableShape, newer: TableShape, declared: readonly string[]): string[] {
  const present = new Set(older.columns.map(({ name }) => name));
  return newer.columns
    .map(({ name }) => name)
    .filter((name) => !present.has(name) && declared.includes(name));
}

/**
 * Compares a live table with what was live before the swap that made it so, as the swap found it: names, keys of other tables, views and all.
 * Null where the table that is live now is not the one of that swap, or the swap is of a release that kept no shape.
 */
export async function compareWithBefore(
  session: Session,
  live: QualifiedName,
  record: SwapRecord,
  declaredAdditions: readonly string[],
): Promise<TableComparison | null> {
  const swapped = record.tables.find((table) => quoteQualified(table.live) === quoteQualified(live));
  const shape = await withoutOwnKeys(session, await describeTable(session, live));
  const before = swapped?.before;
  if (before === undefined || swapped?.liveOid !== shape.oid) return null;
  const nameOf = (_oid: number, name: QualifiedName): string => quoteQualified(name);
  // What a rollback makes live again may lack a column that was declared after it.
  const missing = record.generation === undefined ? [] : newColumns(shape, before, declaredAdditions);
  const wanted = { ...before, columns: before.columns.filter(({ name }) => !missing.includes(name)) };
  return {
    table: label(live),
    with: 'before',
    runId: record.runId,
    additions: newColumns(before, shape, declaredAdditions),
    differences: diffShapes(wanted, shape, { declaredAdditions, scope: 'all', nameOf }),
  };
}

/** Compares a live table with a run's temp table beside it; null where there is none. What only the swap makes is no difference. */
export async function compareWithCandidate(
  session: Session,
  live: QualifiedName,
  declaredAdditions: readonly string[],
): Promise<TableComparison | null> {
  const temp = tempTableOf(live);
  const oid = await findRelation(session, temp);
  const part = oid === null ? null : await readPart(session, oid);
  if (part?.role !== 'candidate') return null;
  return {
    table: label(live),
    with: 'candidate',
    runId: part.runId,
    additions: newColumns(
      await describeTable(session, live),
      await describeTable(session, temp),
      declaredAdditions,
    ),
    differences: await diffTables(session, live, temp, declaredAdditions),
  };
}
