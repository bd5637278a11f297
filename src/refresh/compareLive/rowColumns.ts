import { identifierColumn, type ColumnPlan, type PlannedColumn } from '../../copy/columnPlan.js';
import type { PlannedTable } from '../../copy/prepareTables.js';
import { textTypes } from '../../copy/scanQueries.js';

/** Which values of a table's rows are compared, and where they are in the rows that the copy would make. */
export interface ComparedColumns {
  /** Names of the live table's columns. */
  readonly names: readonly string[];
  /** Their places among the fields of the copy's rows. */
  readonly places: readonly number[];
  /** The key's places in `names`. */
  readonly key: readonly number[];
  /** The identifier's place in `names`; null where deletions are not listed. */
  readonly identifier: number | null;
  /** Columns of the live table that the catalog says nothing of: defaults, kept values, the id, times of the copy. */
  readonly notCompared: readonly string[];
}

/** Columns that hold what the catalog gives. Pure. */
export function planComparison({ mapping, scan, live }: PlannedTable): ComparedColumns {
  const fields = fieldsOf(scan.plan);
  const compared = fields.flatMap((column, place) =>
    column.source !== null && live.columns.has(column.name) ? [{ name: column.name, place }] : [],
  );
  const names = compared.map(({ name }) => name);
  return {
    names,
    places: compared.map(({ place }) => place),
    key: mapping.key.map((column) => names.indexOf(column)),
    identifier: mapping.deletedMediaTable === null ? null : names.indexOf(identifierColumn),
    notCompared: [...live.columns.keys()].filter((name) => !names.includes(name)),
  };
}

/** The fields of a row that the copy reads from the catalog, in their order. */
export function fieldsOf({ narrow, wide }: ColumnPlan): readonly PlannedColumn[] {
  return [...narrow, ...wide];
}

/** Fields that the API database must read as its columns' types before they are compared, by place. */
export interface ValuesToRead {
  /** In every row: the column has another type in the catalog. */
  readonly always: readonly TypedField[];
  /** In rows that a `transform` hook changed: it may write a value in another way than Postgres does. */
  readonly whenChanged: readonly TypedField[];
}

export interface TypedField {
  readonly place: number;
  readonly type: string;
}

/** Texts are what they are; every other type has several ways to write one value. Pure. */
export function planValues({ mapping, scan, live }: PlannedTable): ValuesToRead {
  const always: TypedField[] = [];
  const whenChanged: TypedField[] = [];
  for (const [place, { name, source }] of fieldsOf(scan.plan).entries()) {
    const target = live.columns.get(name);
    if (source === null || target === undefined || isText(target.baseType)) continue;
    if (source.type !== target.type) always.push({ place, type: target.type });
    else if (mapping.transform !== null) whenChanged.push({ place, type: target.type });
  }
  return { always, whenChanged };
}

/** `character(n)` is filled up with blanks: not a text that is what it is. */
function isText(baseType: string): boolean {
  return textTypes.has(baseType) && baseType !== 'character';
}
