import {
  parseQualifiedName,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  type QualifiedName,
} from '../postgres/identifiers.js';
import type { Slice } from './slice.js';

/** What is read of a table, and which rows are left out or marked. */
export interface RowSelection {
  readonly table: QualifiedName;
  readonly idColumn: string;
  /** Columns that the document builder reads. */
  readonly columns: readonly string[];
  /** Boolean column: rows with true are skipped. Null = none. */
  readonly removedColumn: string | null;
  /** Tables with an `identifier` column, as the configuration names them. Null = none. */
  readonly deletedMediaTable: string | null;
  readonly sensitiveMediaTable: string | null;
  /** With a run, the sets are what that run has applied of these tables (`freshet.applied`); without, the tables as they are now. */
  readonly runId: string | null;
}

/** The first field of every line: what to do with the row. */
export const rowMark = { removed: 'r', deleted: 'd', sensitive: 's', plain: '-' } as const;

/** Selects mark, id and the columns of a slice's rows. */
export function selectSlice(selection: RowSelection, slice: Slice): string {
  const columns = selection.columns.map((column) => `t.${quoteIdentifier(column)}`);
  const fields = [markExpression(selection), `t.${quoteIdentifier(selection.idColumn)}`, ...columns];
  return `select ${fields.join(', ')} from ${quoteQualified(selection.table)} t where ${sliceCondition(selection, slice)}`;
}

/** Selects nothing, with the types of id and columns: also the check that they are there and may be read. */
export function selectTypes(selection: RowSelection): string {
  const columns = [selection.idColumn, ...selection.columns].map((column) => `t.${quoteIdentifier(column)}`);
  return `select ${[...columns, markExpression(selection)].join(', ')} from ${quoteQualified(selection.table)} t limit 0`;
}

/** TID conditions are range scans since Postgres 14: only the slice's blocks are read, in their order. */
function sliceCondition({ idColumn }: RowSelection, slice: Slice): string {
  switch (slice.kind) {
    case 'blocks':
      return `t.ctid >= '(${slice.startBlock},0)'::tid and t.ctid < '(${slice.endBlock},0)'::tid`;
    case 'ids':
      return `t.${quoteIdentifier(idColumn)} between ${slice.startId} and ${slice.endId}`;
    case 'rows':
      return `t.${quoteIdentifier(idColumn)} = any('{${slice.rowIds.join(',')}}'::bigint[])`;
    default:
      return slice satisfies never;
  }
}

/** `exists`, not joins: a set with an identifier twice must not double a row, and the scan's order must stay. */
export function markExpression(selection: RowSelection): string {
  const cases = [
    selection.removedColumn === null
      ? null
      : `when t.${quoteIdentifier(selection.removedColumn)} then '${rowMark.removed}'`,
    whenListed(selection.deletedMediaTable, selection.runId, rowMark.deleted),
    whenListed(selection.sensitiveMediaTable, selection.runId, rowMark.sensitive),
  ].filter((part) => part !== null);
  return cases.length === 0 ? `'${rowMark.plain}'` : `case ${cases.join(' ')} else '${rowMark.plain}' end`;
}

function whenListed(relation: string | null, runId: string | null, mark: string): string | null {
  if (relation === null) return null;
  const listed =
    runId === null
      ? `${quoteQualified(parseQualifiedName(relation))} l where`
      : `freshet.applied l where l.run_id = ${quoteLiteral(runId)} and l.relation = ${quoteLiteral(relation)} and`;
  return `when exists (select from ${listed} l.identifier = t.identifier) then '${mark}'`;
}
