import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { quoteIdentifier } from '../../../src/postgres/identifiers.js';
import { withTransaction, type Session } from '../../../src/postgres/session.js';
import { scenariosFolder, type Content, type Row, type Side } from './scenario.js';

type Defaults = Readonly<Partial<Record<Side, Readonly<Record<string, Row>>>>>;

const defaultsText = readFileSync(join(scenariosFolder, 'defaults.yaml'), 'utf8');
const defaults = parseYaml(defaultsText, { merge: true }) as Defaults;

/** Identifiers are written as small numbers in the data; here as the uuids that the databases and documents hold. */
export function identifierOf(value: unknown): unknown {
  if (!/^\d{1,12}$/.test(String(value))) return value;
  return `00000000-0000-4000-8000-${String(value).padStart(12, '0')}`;
}

/** A row of the data, whose column `identifier` may be a number. */
export function withIdentifier(row: Row): Row {
  return 'identifier' in row ? { ...row, identifier: identifierOf(row['identifier']) } : row;
}

/** Runs the side's SQL file and writes its rows; sequences go to where the written ids end, as an application's inserts would have it. */
export async function fillDatabase(session: Session, side: Side, content: Content): Promise<void> {
  await session.query('set search_path = public');
  if (content.sql !== null) await session.query(content.sql);
  await withTransaction(session, async () => {
    for (const [table, rows] of Object.entries(content.rows)) {
      const columns = await readColumnTypes(session, table);
      const complete = completeRows(defaults[side]?.[table] ?? {}, rows);
      for (const row of complete) await insertRow(session, table, columns, row);
      await advanceSequences(session, table);
    }
  });
}

/**
 * Every row with its defaults, in which `$n` is the row's number: that of its identifier, else of its place. `repeat` makes as many rows of
 * one, numbered onwards.
 */
function completeRows(common: Row, rows: readonly Row[]): Completed[] {
  const all: Completed[] = [];
  let place = 0;
  for (const { repeat, ...given } of rows) {
    for (let time = 0; time < Number(repeat ?? 1); time += 1) {
      const stated = Number(given['identifier']);
      place = Number.isInteger(stated) ? stated + time : place + 1;
      const numbered = Number.isInteger(stated) ? { ...given, identifier: place } : given;
      all.push({ given: fillIn(numbered, place), common: fillIn(common, place) });
    }
  }
  return all;
}

interface Completed {
  readonly given: Row;
  readonly common: Row;
}

function fillIn(row: Row, place: number): Row {
  const filled = Object.entries(row).map(([column, value]) => [
    column,
    typeof value === 'string' ? value.replaceAll('$n', String(place)) : value,
  ]);
  return withIdentifier(Object.fromEntries(filled) as Row);
}

async function readColumnTypes(session: Session, table: string): Promise<Map<string, string>> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
    [quoteIdentifier(table)],
  );
  if (rows.length === 0) throw new Error(`there is no table ${table} to write rows to`);
  return new Map(rows.map((row) => [row.name, row.type]));
}

/** A default for a column that this table lacks is left out; a column that the scenario names must be there. */
async function insertRow(
  session: Session,
  table: string,
  types: ReadonlyMap<string, string>,
  { given, common }: Completed,
): Promise<void> {
  const known = Object.entries(common).filter(([column]) => types.has(column));
  const row = { ...Object.fromEntries(known), ...given };
  const columns = Object.keys(row);
  const values = columns.map((column, i) => `cast($${i + 1} as ${types.get(column) ?? 'text'})`);
  await session.query(
    `insert into ${quoteIdentifier(table)} (${columns.map(quoteIdentifier).join(', ')}) values (${values.join(', ')})`,
    columns.map((column) => parameterOf(row[column], types.get(column))),
  );
}

/** A text for a json column is its JSON text, so that a scenario can say `0.90`. */
function parameterOf(value: unknown, type: string | undefined): unknown {
  if (value === null) return null;
  if (type?.startsWith('json')) return typeof value === 'string' ? value : JSON.stringify(value);
  return value;
}

async function advanceSequences(session: Session, table: string): Promise<void> {
  const { rows } = await session.query<{ column: string; sequence: string }>(
    `select a.attname::text as column, s.oid::regclass::text as sequence
     from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
     join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
     join pg_class s on s.oid = d.refobjid and s.relkind = 'S' where f.adrelid = to_regclass($1)`,
    [quoteIdentifier(table)],
  );
  for (const { column, sequence } of rows) {
    await session.query(
      `select setval('${sequence}', greatest(max(${quoteIdentifier(column)}), (select last_value from ${sequence})))
       from ${quoteIdentifier(table)} having max(${quoteIdentifier(column)}) is not null`,
    );
  }
}
