import { FreshetError } from '../errors.js';
import {
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  tempTableOf,
  type QualifiedName,
} from './identifiers.js';
import { generatedObjectName } from './names.js';
import { deleteParts, readPart, writePart } from './marks.js';
import type { Session } from './session.js';
import type { ColumnShape, TableShape } from './tableShape.js';

/** Whether a run is known to be over; only then may what it left be dropped. */
export type IsRunOver = (runId: string) => boolean | Promise<boolean>;

export interface TempTableOptions {
  readonly shape: TableShape;
  /** Declared additions, name → Postgres type; those that the live table has already are skipped. */
  readonly addedColumns: Readonly<Record<string, string>>;
  readonly runId: string;
  readonly media: string;
  /** When the catalog's snapshot was taken; null where rows come from the live table. */
  readonly snapshotAt: Date | null;
  /** Of freshet. */
  readonly version: string;
  readonly isRunOver: IsRunOver;
}

/** `set (…)` of storage parameters: `fillfactor=70` → `fillfactor='70'`, `toast.autovacuum_enabled=…` likewise. */
export function optionList(options: readonly string[]): string {
  return options
    .map((option) => {
      const equals = option.indexOf('=');
      const name = option.slice(0, equals).split('.').map(quoteIdentifier).join('.');
      return `${name} = ${quoteLiteral(option.slice(equals + 1))}`;
    })
    .join(', ');
}

/** An autovacuum of the temp table while it is loaded would only take the loader's disk. Undone by `addConstraints`. */
export const loadingOptions = ['autovacuum_enabled=false', 'toast.autovacuum_enabled=false'];

function loadOptionsOf(options: readonly string[]): string {
  const kept = options.filter((option) => !/^(toast\.)?autovacuum_enabled=/.test(option));
  return optionList([...kept, ...loadingOptions]);
}

/** A type's name from the configuration: no more than names, a modifier and brackets. */
function checkedType(type: string): string {
  if (/^[\p{L}\p{N}_ ".]+(\(\s*\d+\s*(,\s*\d+\s*)?\))?[\p{L}_ ]*(\[\])*$/u.test(type)) return type;
  throw new FreshetError('CONFIGURATION_INVALID', `${JSON.stringify(type)} is no name of a Postgres type.`);
}

/** The clause that gives the column its value where the writer does not. */
function valueClause({ defaultExpression, generated, identity }: ColumnShape, sequence: string): string {
  if (identity !== null)
    return `generated ${identity.kind} as identity (sequence name ${sequence} ${identity.options})`;
  if (defaultExpression === null) return '';
  return generated === null
    ? `default ${defaultExpression}`
    : `generated always as (${defaultExpression}) ${generated}`;
}

function columnDefinition(column: ColumnShape, notNullByName: boolean, sequence: string): string {
  return [
    quoteIdentifier(column.name),
    column.type,
    column.compression === '' ? '' : `compression ${column.compression === 'l' ? 'lz4' : 'pglz'}`,
    column.collation === null ? '' : `collate ${column.collation}`,
    valueClause(column, sequence),
    column.notNull && !notNullByName ? 'not null' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

const storageNames: Readonly<Record<string, string>> = {
  p: 'plain',
  e: 'external',
  m: 'main',
  x: 'extended',
};

/** What `create table` has no room for (column storage only from Postgres 16 on). */
function columnStatements(table: string, column: ColumnShape): string[] {
  const alter = `alter table ${table} alter column ${quoteIdentifier(column.name)}`;
  return [
    // A virtual column is not stored.
    ...(column.generated === 'virtual'
      ? []
      : [`${alter} set storage ${storageNames[column.storage] ?? column.storage}`]),
    ...(column.statisticsTarget === null ? [] : [`${alter} set statistics ${column.statisticsTarget}`]),
    ...(column.options.length === 0 ? [] : [`${alter} set (${optionList(column.options)})`]),
    ...(column.comment === null
      ? []
      : [`comment on column ${table}.${quoteIdentifier(column.name)} is ${quoteLiteral(column.comment)}`]),
  ];
}

/**
 * The sequence of an identity column belongs to its table for ever, so the temp table gets one of its own, which takes the live name in the
 * swap. Values that it gives before are above all that the live one gave.
 */
function identityStatements({ identity }: ColumnShape, sequence: QualifiedName): string[] {
  if (identity === null) return [];
  const name = quoteQualified(sequence);
  return [
    ...(identity.lastValue === null
      ? []
      : [`select setval(${quoteLiteral(name)}::regclass, ${identity.lastValue}, true)`]),
    ...(identity.comment === null
      ? []
      : [`comment on sequence ${name} is ${quoteLiteral(identity.comment)}`]),
  ];
}

/** Everybody but owners is kept out from the beginning; the policies that let others in are made in the swap. */
function rowSecurityStatements({ rowSecurity, rowSecurityForced }: TableShape, table: string): string[] {
  return [
    ...(rowSecurity ? [`alter table ${table} enable row level security`] : []),
    ...(rowSecurityForced ? [`alter table ${table} force row level security`] : []),
  ];
}

function tableElements(
  { columns, checks }: TableShape,
  added: readonly (readonly [string, string])[],
  sequenceOf: (column: ColumnShape) => QualifiedName,
): string[] {
  const notNulls = checks.filter(({ type }) => type === 'not null');
  return [
    ...columns.map((column) =>
      columnDefinition(column, notNulls.length > 0, quoteQualified(sequenceOf(column))),
    ),
    ...added.map(([name, type]) => `${quoteIdentifier(name)} ${checkedType(type)}`),
    ...notNulls.map(({ name, definition }) => `constraint ${quoteIdentifier(name)} ${definition}`),
  ];
}

/**
 * The statements that create an empty table of the live one's shape, without indexes and constraints. Pure. The columns are written out
 * instead of `like live`: that would hold a lock on the live table until the end of the copy, hours in which any `alter table` of the
 * API would wait, and its readers behind it. `diffTables` holds the result against the live table.
 */
export function tempTableStatements(
  shape: TableShape,
  temp: QualifiedName,
  addedColumns: Readonly<Record<string, string>>,
  runId: string,
): string[] {
  const table = quoteQualified(temp);
  const sequenceOf = (column: ColumnShape): QualifiedName => ({
    schema: temp.schema,
    name: generatedObjectName(runId, shape.oid, 'identity', shape.columns.indexOf(column) + 1),
  });
  const present = new Set(shape.columns.map(({ name }) => name));
  const added = Object.entries(addedColumns).filter(([name]) => !present.has(name));
  const using = shape.accessMethod === null ? '' : ` using ${quoteIdentifier(shape.accessMethod)}`;
  return [
    `select set_config('default_tablespace', ${quoteLiteral(shape.tablespace ?? '')}, true)`,
    `create table ${table} (${tableElements(shape, added, sequenceOf).join(', ')})${using} with (${loadOptionsOf(shape.options)})`,
    ...shape.columns.flatMap((column) => [
      ...columnStatements(table, column),
      ...identityStatements(column, sequenceOf(column)),
    ]),
    ...(shape.comment === null ? [] : [`comment on table ${table} is ${quoteLiteral(shape.comment)}`]),
    `alter table ${table} owner to ${quoteIdentifier(shape.owner)}`,
    ...rowSecurityStatements(shape, table),
  ];
}

/** The oid of whatever has this name, or null. */
export async function findRelation(
  session: Session,
  { schema, name }: QualifiedName,
): Promise<number | null> {
  const { rows } = await session.query<{ oid: number }>(
    `select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  return rows[0]?.oid ?? null;
}

async function clearTheWay(session: Session, temp: QualifiedName, options: TempTableOptions): Promise<void> {
  const oid = await findRelation(session, temp);
  if (oid === null) return;
  const part = await readPart(session, oid);
  const mayDrop =
    part?.role === 'candidate' && (part.runId === options.runId || (await options.isRunOver(part.runId)));
  if (!mayDrop) {
    const relation = `${temp.schema}.${temp.name}`;
    const whose =
      part === null ? 'it has no mark of freshet' : `it belongs to run ${part.runId} (${part.role})`;
    throw new FreshetError('LEFTOVER_FOREIGN', `${relation} is in the way: ${whose}.`, { relation });
  }
  await session.query(`drop table ${quoteQualified(temp)}`);
  await deleteParts(session, [oid]);
}

/**
 * Creates the temp table beside the live one and its mark (`ensureMarks` was called before). Must run in the caller's transaction, in
 * which the rows may then be copied frozen; takes no lock on the live table. A temp table that this run or a run that is over left is
 * dropped first; anything else in the way is LEFTOVER_FOREIGN.
 */
export async function createTempTable(
  session: Session,
  options: TempTableOptions,
): Promise<{ oid: number; name: QualifiedName }> {
  const { shape, runId, media, snapshotAt, version } = options;
  const name = tempTableOf(shape.name);
  await clearTheWay(session, name, options);
  await session.query(tempTableStatements(shape, name, options.addedColumns, runId).join(';\n'));
  const oid = await findRelation(session, name);
  if (oid === null)
    throw new FreshetError('INTERNAL', `${name.schema}.${name.name} is not there after its creation.`);
  await writePart(session, {
    oid,
    name,
    liveName: shape.name.name,
    kind: 'table',
    runId,
    media,
    role: 'candidate',
    snapshotAt,
    version,
  });
  return { oid, name };
}
