import { FreshetError } from '../errors.js';
import { explained, type DatabaseName } from './failures.js';
import { parseQualifiedName, type QualifiedName } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';

/** A column as far as a copy has to know it. */
export interface RelationColumn {
  readonly name: string;
  /** With its modifier: `character varying(80)`. */
  readonly type: string;
  /** Without: `character varying`. */
  readonly baseType: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Its value is computed; nothing can be written to it. */
  readonly generated: boolean;
}

/** A table or view as far as a copy has to know it. */
export interface Relation {
  readonly name: QualifiedName;
  /** As the configuration calls it. */
  readonly called: string;
  readonly database: DatabaseName;
  /** Two scans in one snapshot give the rows in the same order without being told to: a table, not a view. */
  readonly hasScanOrder: boolean;
  readonly columns: ReadonlyMap<string, RelationColumn>;
  /** Sets of columns of which no two rows have the same values (nulls aside). */
  readonly uniqueColumns: readonly (readonly string[])[];
  /** The planner's estimate; 0 where it has none. */
  readonly rowsEstimated: number;
}

const relationQuery = `
select c.oid, c.relkind in ('r', 'p', 'm') as has_scan_order, greatest(c.reltuples, 0)::float8 as rows_estimated
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')`;

const columnsQuery = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, format_type(a.atttypid, null) as "baseType",
  a.attnotnull as "notNull", a.atthasdef or a.attidentity <> '' as "hasDefault", a.attgenerated <> '' as generated
from pg_attribute a where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum`;

// A parent's index says nothing about the rows of its children (table inheritance).
const uniqueQuery = `
select array(select a.attname::text from unnest(i.indkey) with ordinality k(attnum, position)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where k.position <= i.indnkeyatts) as columns
from pg_index i join pg_class c on c.oid = i.indrelid
where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
  and (c.relkind = 'p' or not c.relhassubclass)`;

/** Reads columns, kind and keys of a table or view. Throws TABLE_MISSING. */
export function describeRelation(
  session: Session,
  called: string,
  database: DatabaseName,
): Promise<Relation> {
  return explained(database, readRelation(session, called, database));
}

async function readRelation(session: Session, called: string, database: DatabaseName): Promise<Relation> {
  const name = parseQualifiedName(called);
  const found = await session.query<{ oid: number; has_scan_order: boolean; rows_estimated: number }>(
    relationQuery,
    [name.schema, name.name],
  );
  const row = found.rows[0];
  if (row === undefined) throw tableMissing(called, database);
  const columns = await session.query<RelationColumn>(columnsQuery, [row.oid]);
  const unique = await session.query<{ columns: string[] }>(uniqueQuery, [row.oid]);
  return {
    name,
    called,
    database,
    hasScanOrder: row.has_scan_order,
    columns: new Map(columns.rows.map((column) => [column.name, column])),
    uniqueColumns: unique.rows.map((index) => index.columns),
    rowsEstimated: row.rows_estimated,
  };
}

function tableMissing(table: string, database: DatabaseName): FreshetError {
  return new FreshetError('TABLE_MISSING', `There is no table or view ${table} in the ${database}.`, {
    table,
    database,
  });
}

/** Whether no two rows of `relation` can have the same values in all of `columns`. */
export function isUniqueBy(relation: Relation, columns: readonly string[]): boolean {
  return relation.uniqueColumns.some((unique) => unique.every((column) => columns.includes(column)));
}
