import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { FreshetError } from '../errors.js';
import { keyJoinWorkMemMb, namedKeysMax } from '../limits.js';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import type { AppliedList } from './appliedLists.js';
import { identifierColumn, type ColumnPlan, type KeptColumn, type PlannedColumn } from './columnPlan.js';
import { isUniqueBy, type Relation } from './relations.js';
import { selectKeys, textTypes, type Scan } from './scanQueries.js';
import { openCopyIn, openCopyOut } from './streams.js';

/**
 * Ids are kept by a *narrow* join in the API database: the catalog's keys, in the order of its scan, go to a TEMP table there, are joined
 * with the live rows, sorted back by ctid and read beside the wide scan. Everything is sequential and nothing wide is sorted or hashed; memory
 * is flat (1.3–1.4 × a raw copy of 2 million rows, measured 2026-11-23; a join on the wide rows would spill 1 TB at 900 million). The
 * joined rows are kept in a TEMP table instead of being streamed, so that no lock on the live table lasts as long as the copy.
 */
export interface KeyTable {
  readonly scan: Scan;
  readonly live: Relation;
  /** Ends the names of its TEMP tables. */
  readonly position: number;
  readonly rows: number;
}

const keysName = ({ position }: Pick<KeyTable, 'position'>): string => `pg_temp.keys_${position}`;
const joinedName = ({ position }: Pick<KeyTable, 'position'>): string => `pg_temp.joined_${position}`;

/** First pass: reads the keys of the scan into a TEMP table of `keys`. Throws NULL_KEYS or DUPLICATE_KEYS. */
export async function loadKeys(
  sessions: { readonly catalog: Session; readonly keys: Session },
  scan: Scan,
  live: Relation,
  position: number,
  onRows: (rows: number) => void,
): Promise<KeyTable> {
  const { keys } = sessions;
  const name = keysName({ position });
  const fields = scan.plan.narrow.map((column, i) => `${fieldName(i)} ${keyType(column, live)}`);
  // Made in the transaction that fills it: COPY then never goes back to an earlier page with room, so ctid is the order of the scan.
  await keys.query('begin');
  await keys.query(`create temp table keys_${position} (${fields.join(', ')}) on commit preserve rows`);
  const rows = await pourKeys(sessions, scan, name, onRows);
  await keys.query('commit');
  await keys.query(`analyze ${name}`);
  const table: KeyTable = { scan, live, position, rows };
  await assertKeysFilled(keys, table);
  await assertKeysUnique(keys, table);
  return table;
}

async function pourKeys(
  { catalog, keys }: { readonly catalog: Session; readonly keys: Session },
  scan: Scan,
  name: string,
  onRows: (rows: number) => void,
): Promise<number> {
  const source = openCopyOut(catalog, 'catalog', selectKeys(scan));
  const target = openCopyIn(keys, `copy ${name} from stdin`);
  let rows = 0;
  await pipeline(
    source,
    async function* countRows(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        rows += countLines(chunk);
        onRows(rows);
        yield chunk;
      }
    },
    target,
  );
  return rows;
}

function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}

/**
 * Joins the keys with the live rows, in the order of the scan: the narrow fields as the catalog gave them, whether `deleted` lists the record,
 * the live id (null = new), the kept columns.
 */
export async function joinKeys(
  keys: Session,
  table: KeyTable,
  idColumn: string,
  deleted: AppliedList | null,
): Promise<void> {
  const { plan } = table.scan;
  const id = `l.${quoteIdentifier(idColumn)}`;
  const narrow = plan.narrow.map((_, i) => `k.${fieldName(i)}`);
  const kept = plan.kept.map((column, i) => `${keptValue(column, id)} as kept_${i}`);
  const isDeleted = deleted === null ? 'false' : 'd.identifier is not null';
  const fields = [...narrow, `${isDeleted} as is_deleted`, `${id} as live_id`, ...kept].join(', ');
  await keys.query(
    `create temp table joined_${table.position} as select ${fields} from ${joinedTables(table, deleted)} order by k.ctid`,
  );
  await keys.query(`drop table ${keysName(table)}`);
}

/** Starts reading the joined keys, in the order of the scan. */
export function openJoinedKeys(keys: Session, table: KeyTable): Readable {
  return openCopyOut(keys, 'API database', `select * from ${joinedName(table)}`);
}

/** How many records would get a new id. */
export async function countNew(keys: Session, table: KeyTable): Promise<bigint> {
  const { rows } = await keys.query<{ count: string }>(
    `select count(*) from ${joinedName(table)} where live_id is null and not is_deleted`,
  );
  return BigInt(rows[0]?.count ?? 0);
}

function keptValue(column: KeptColumn, id: string): string {
  const byDefault = `cast(${quoteLiteral(column.default)} as ${column.type})`;
  if (!column.isLive) return byDefault;
  return `case when ${id} is null then ${byDefault} else l.${quoteIdentifier(column.name)} end`;
}

function joinedTables(table: KeyTable, deleted: AppliedList | null): string {
  const { plan } = table.scan;
  const byKey = plan.keyColumns.map((column) => equalKeys(plan, table.live, column)).join(' and ');
  const joined = `${keysName(table)} k left join ${quoteQualified(table.live.name)} l on ${byKey}`;
  if (deleted === null) return joined;
  const identifier = plan.narrow.find((column) => column.name === identifierColumn);
  const cast = identifier !== undefined && keyType(identifier, table.live) === 'uuid' ? '' : '::text';
  const field = `k.${fieldOf(plan, identifierColumn)}`;
  return `${joined} left join ${deleted.tempName} d on d.identifier${cast} = ${field}${cast}`;
}

function equalKeys(plan: ColumnPlan, live: Relation, column: string): string {
  const ours = `k.${fieldOf(plan, column)}`;
  const theirs = `l.${quoteIdentifier(column)}`;
  const planned = plan.narrow.find(({ name }) => name === column);
  const type = planned === undefined ? 'text' : keyType(planned, live);
  if (type !== 'text' && !textTypes.has(planned?.source?.baseType ?? '')) return `${theirs} = ${ours}`;
  return `${theirs}::text collate "C" = ${ours}::text collate "C"`;
}

/** The live column's type where both sides have the same; else the key is held and compared as the text that the catalog gives. */
function keyType(column: PlannedColumn, live: Relation): string {
  const theirs = live.columns.get(column.name);
  return theirs !== undefined && theirs.baseType === column.source?.baseType ? column.source.type : 'text';
}

function fieldName(i: number): string {
  return `key_${i}`;
}

function fieldOf(plan: ColumnPlan, column: string): string {
  return fieldName(plan.narrow.findIndex(({ name }) => name === column));
}

function keyFields({ scan: { plan } }: KeyTable): string[] {
  return plan.keyColumns.map((column) => fieldOf(plan, column));
}

async function assertKeysFilled(keys: Session, table: KeyTable): Promise<void> {
  const { upstream, plan } = table.scan;
  const nullable = plan.narrow.filter((column) => column.source?.notNull !== true);
  if (nullable.length === 0) return;
  const isNull = nullable.map((column) => `${fieldOf(plan, column.name)} is null`).join(' or ');
  const { rows } = await keys.query<{ key: string; count: string }>(
    `select concat_ws(', ', ${plan.narrow.map(({ name }) => `coalesce(${fieldOf(plan, name)}::text, 'null')`).join(', ')}) as key,
      count(*) over () as count from ${keysName(table)} where ${isNull} limit ${namedKeysMax}`,
  );
  if (rows.length === 0) return;
  const names = nullable.map(({ name }) => name).join(', ');
  throw new FreshetError(
    'NULL_KEYS',
    `${rows[0]?.count} rows of ${upstream.called} in the catalog have no ${names}: ${namesOf(rows)}.`,
    { table: upstream.called, database: 'catalog', keys: rows.map((row) => row.key) },
  );
}

/** Both sides' keys, wherever no unique index says so already: a doubled key would give a record two rows, or a row two ids. */
async function assertKeysUnique(keys: Session, table: KeyTable): Promise<void> {
  const { upstream, plan } = table.scan;
  const upstreamColumns = plan.narrow
    .filter(({ name }) => plan.keyColumns.includes(name))
    .map((column) => column.source?.name ?? '');
  if (!isUniqueBy(upstream, upstreamColumns)) {
    await assertNoDuplicates(keys, keysName(table), keyFields(table), upstream);
  }
  if (!isUniqueBy(table.live, plan.keyColumns)) {
    const columns = plan.keyColumns.map(quoteIdentifier);
    await assertNoDuplicates(keys, quoteQualified(table.live.name), columns, table.live);
  }
}

async function assertNoDuplicates(
  keys: Session,
  name: string,
  columns: readonly string[],
  { called: table, database }: Relation,
): Promise<void> {
  const filled = columns.map((column) => `${column} is not null`).join(' and ');
  const { rows } = await keys.query<{ key: string }>(
    `select concat_ws(', ', ${columns.map((column) => `${column}::text`).join(', ')}) as key from ${name}
      where ${filled} group by ${columns.join(', ')} having count(*) > 1 order by 1 limit ${namedKeysMax}`,
  );
  if (rows.length === 0) return;
  throw new FreshetError(
    'DUPLICATE_KEYS',
    `Several rows of ${table} in the ${database} have the same key: ${namesOf(rows)}.`,
    { table, database, keys: rows.map((row) => row.key) },
  );
}

function namesOf(rows: readonly { readonly key: string }[]): string {
  const names = rows.map((row) => JSON.stringify(row.key)).join('; ');
  return rows.length < namedKeysMax ? names : `${names} and perhaps more`;
}

/** Settings of the session that joins: the catalog's texts must come back as they went in. */
export const keySettings: readonly string[] = [
  "set timezone = 'UTC'",
  "set datestyle = 'ISO, YMD'",
  "set intervalstyle = 'postgres'",
  "set bytea_output = 'hex'",
  'set extra_float_digits = 1',
  `set work_mem = '${keyJoinWorkMemMb}MB'`,
];
