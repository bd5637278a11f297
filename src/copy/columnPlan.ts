import type { TableMapping } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { quoteIdentifier } from '../postgres/identifiers.js';
import type { Relation, RelationColumn } from './relations.js';

/** A field of the rows that are read from the catalog. */
export interface PlannedColumn {
  /** The column of the temp table that it goes to. */
  readonly name: string;
  /** What is selected in the catalog for it. */
  readonly expression: string;
  /** The column that it comes from; null = a constant. */
  readonly source: RelationColumn | null;
}

/** A column that a known record keeps from its live row. */
export interface KeptColumn {
  readonly name: string;
  /** What a new record gets: a text that Postgres reads as the column's type. */
  readonly default: string;
  readonly type: string;
  /** The live table has it; else every record gets the default. */
  readonly isLive: boolean;
}

/**
 * Which columns are copied, and in which order their fields come: narrow ones first (they are read twice and compared), then what may have
 * to change (so that it is found without looking through the rest), then the others. The temp table is fed `id, kept…, narrow…, wide…`.
 */
export interface ColumnPlan {
  /** Key columns and, where deleted records are left out, `identifier`. */
  readonly narrow: readonly PlannedColumn[];
  readonly keyColumns: readonly string[];
  readonly wide: readonly PlannedColumn[];
  readonly kept: readonly KeptColumn[];
  /** Upstream columns that go nowhere. */
  readonly dropped: readonly string[];
  /** Columns of the temp table that get their default. */
  readonly defaulted: readonly string[];
}

/** The specification's section "Copy data": copied where upstream has them, else the time of the copy. */
const timeColumns = ['created_on', 'updated_on'];

/** The column by which deleted-media tables list records. */
export const identifierColumn = 'identifier';

/**
 * Plans the columns of one table: the intersection after renames, plus declared additions. Pure.
 * Throws COLUMN_MISSING for a required, key or ruled column that a side lacks, and for a live column that must be filled but cannot be.
 */
export function planColumns(
  mapping: TableMapping,
  tagColumn: string | null,
  upstream: Relation,
  live: Relation,
): ColumnPlan {
  assertKeyUnchanged(mapping);
  const sources = listSources(mapping, upstream);
  const target = listTargetColumns(mapping, live);
  const fed = new Set([...Object.keys(mapping.keptColumns), mapping.idColumn]);
  const changing = [...(tagColumn === null ? [] : [tagColumn]), ...mapping.addUrlSchemesTo];
  const narrowNames = listNarrowColumns(mapping);
  assertColumns(mapping, [...narrowNames, ...changing], sources, target, upstream, live);

  const copied = [...target.keys()].filter((name) => sources.has(name) && !fed.has(name));
  const first = new Set([...narrowNames, ...changing]);
  const wideNames = [...new Set(changing), ...copied.filter((name) => !first.has(name))];
  const wide = [
    ...wideNames.filter((name) => !narrowNames.includes(name)).map((name) => copyOf(name, sources, upstream)),
    ...timeColumns
      .filter((name) => target.has(name) && !sources.has(name) && !fed.has(name))
      .map((name) => ({ name, expression: 'pg_catalog.now()', source: null })),
  ];
  const narrow = narrowNames.map((name) => copyOf(name, sources, upstream));
  const kept = planKept(mapping, target, live);
  const filled = new Set([...fed, ...[...narrow, ...wide].map((column) => column.name)]);
  const defaulted = [...target.keys()].filter((name) => !filled.has(name));
  assertFillable(defaulted, target, upstream);
  const used = new Set([...narrow, ...wide].map((column) => column.source?.name));
  const dropped = [...upstream.columns.keys()].filter((name) => !used.has(name));
  return {
    narrow,
    keyColumns: mapping.key,
    wide,
    kept,
    dropped,
    defaulted,
  };
}

/** Downstream name → upstream column. A rename wins over a column that has the downstream name already. */
function listSources(mapping: TableMapping, upstream: Relation): Map<string, string> {
  const sources = new Map([...upstream.columns.keys()].map((name) => [name, name]));
  for (const [from, to] of Object.entries(mapping.renames)) {
    if (!upstream.columns.has(from)) continue;
    if (sources.get(from) === from) sources.delete(from);
    sources.set(to, from);
  }
  return sources;
}

/** Columns that the temp table has and that can be written to. */
function listTargetColumns(mapping: TableMapping, live: Relation): Map<string, RelationColumn> {
  const target = new Map([...live.columns].filter(([, column]) => !column.generated));
  for (const [name, type] of Object.entries(mapping.addedColumns)) {
    if (live.columns.has(name)) continue;
    target.set(name, { name, type, baseType: type, notNull: false, hasDefault: false, generated: false });
  }
  return target;
}

function listNarrowColumns(mapping: TableMapping): string[] {
  const columns = new Set(mapping.key);
  if (mapping.deletedMediaTable !== null) columns.add(identifierColumn);
  return [...columns];
}

function assertColumns(
  mapping: TableMapping,
  ruled: readonly string[],
  sources: ReadonlyMap<string, string>,
  target: ReadonlyMap<string, RelationColumn>,
  upstream: Relation,
  live: Relation,
): void {
  if (!target.has(mapping.idColumn)) throw columnMissing(mapping.idColumn, live);
  for (const name of [...ruled, ...mapping.requiredColumns]) {
    if (!target.has(name)) throw columnMissing(name, live);
    if (!sources.has(name)) throw columnMissing(upstreamNameOf(name, mapping), upstream);
  }
}

/** A record is found again by the key that upstream gives: one that the copy changes would get a new id every time. */
function assertKeyUnchanged(mapping: TableMapping): void {
  const changed = mapping.addUrlSchemesTo.find((column) => mapping.key.includes(column));
  if (changed === undefined) return;
  throw new FreshetError(
    'CONFIGURATION_INVALID',
    `addUrlSchemesTo of ${mapping.downstream} names ${changed}, which is a key column: records would not keep their ids.`,
  );
}

function assertFillable(
  defaulted: readonly string[],
  target: ReadonlyMap<string, RelationColumn>,
  upstream: Relation,
): void {
  for (const name of defaulted) {
    const column = target.get(name);
    if (column?.notNull === true && !column.hasDefault) throw columnMissing(name, upstream);
  }
}

function upstreamNameOf(name: string, mapping: TableMapping): string {
  return Object.entries(mapping.renames).find(([, to]) => to === name)?.[0] ?? name;
}

/** The error for a column that a side lacks. */
export function columnMissing(column: string, { called: table, database }: Relation): FreshetError {
  return new FreshetError('COLUMN_MISSING', `${table} in the ${database} has no column ${column}.`, {
    column,
    table,
    database,
  });
}

function copyOf(name: string, sources: ReadonlyMap<string, string>, upstream: Relation): PlannedColumn {
  const source = sources.get(name) ?? name;
  return { name, expression: quoteIdentifier(source), source: upstream.columns.get(source) ?? null };
}

function planKept(
  mapping: TableMapping,
  target: ReadonlyMap<string, RelationColumn>,
  live: Relation,
): KeptColumn[] {
  return Object.entries(mapping.keptColumns).flatMap(([name, value]) => {
    const column = target.get(name);
    if (column === undefined) return [];
    return [{ name, default: value, type: column.type, isLive: live.columns.has(name) }];
  });
}
