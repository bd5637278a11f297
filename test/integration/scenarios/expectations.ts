import { expect } from 'vitest';
import { quoteIdentifier } from '../../../src/postgres/identifiers.js';
import type { Session } from '../../../src/postgres/session.js';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import { identifierOf, withIdentifier } from './fillDatabase.js';
import type { DocumentsExpectation, Expectation, Row, TableExpectation } from './scenario.js';
import { readTableShape } from './tableShape.js';

/** Table → its shape, as lines. */
export type Shapes = Readonly<Record<string, readonly string[]>>;

export interface Checked {
  readonly local: LocalEnvironment;
  /** Put before every name of an index or alias, so that scenarios do not meet on the one engine. */
  readonly prefix: string;
  /** The tables' shapes before the first step. */
  readonly shapesBefore: Shapes;
}

/** Compares databases and search engine with what the scenario says of them. */
export async function checkExpectation(checked: Checked, expected: Expectation): Promise<void> {
  const { local } = checked;
  for (const [table, rows] of Object.entries(expected.tables)) {
    await local.withApi((session) => checkTable(session, table, rows));
  }
  for (const [alias, documents] of Object.entries(expected.documents)) {
    checkDocuments(alias, await readDocuments(local, `${checked.prefix}${alias}`), documents);
  }
  if (expected.indexes !== undefined) {
    expect(await readIndexes(checked), 'indexes and their aliases').toEqual(expected.indexes);
  }
  for (const [table, differences] of Object.entries(expected.shape)) {
    await checkShape(checked, table, differences ?? { added: [], removed: [] });
  }
  for (const query of expected.queries) await checkQuery(local, query);
}

/** Every document of an index or alias, also those that were written or deleted a moment ago. */
export async function readDocuments(local: LocalEnvironment, alias: string): Promise<Map<string, Row>> {
  await local.search(`${alias}/_refresh`, { method: 'POST' });
  return local.documents(alias);
}

interface FoundRow {
  /** The row as JSON. */
  readonly parsed: Row;
  /** Its columns as texts: those of json columns as they were stored (`0.90`). */
  readonly texts: Row;
}

async function checkTable(session: Session, table: string, expected: TableExpectation): Promise<void> {
  await session.query(`set search_path = public; set timezone = 'UTC'`);
  const { rows } = await session.query<FoundRow>(
    `select to_jsonb(t) as parsed, (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(t))) as texts
     from ${quoteIdentifier(table)} t`,
  );
  if (expected.count !== undefined) expect(rows.length, `rows of ${table}`).toBe(expected.count);
  for (const row of expected.rows.map(withIdentifier)) {
    const found = rows.filter((one) => isNamedBy(one, row));
    expect(found.length, `rows of ${table} that are ${nameOf(row)}`).toBe(1);
    const columns = Object.entries(row).map(([column, value]) => [
      column,
      foundValue(found[0], column, value),
    ]);
    expect(Object.fromEntries(columns), `${table}: ${nameOf(row)}`).toEqual(row);
  }
  for (const row of expected.absent.map(withIdentifier)) {
    expect(rows.filter((one) => isNamedBy(one, row)).length, `rows of ${table} that are ${nameOf(row)}`).toBe(
      0,
    );
  }
}

/** A row is named by its first column. */
function isNamedBy({ texts }: FoundRow, row: Row): boolean {
  const [[column, value] = ['', null]] = Object.entries(row);
  return texts[column] === String(value);
}

function nameOf(row: Row): string {
  const [[column, value] = ['', null]] = Object.entries(row);
  return `${column} ${String(value)}`;
}

/** An expected text is compared with the column's text, everything else with its value. */
function foundValue(found: FoundRow | undefined, column: string, expected: unknown): unknown {
  return typeof expected === 'string' ? found?.texts[column] : found?.parsed[column];
}

function checkDocuments(
  alias: string,
  found: ReadonlyMap<string, Row>,
  expected: DocumentsExpectation,
): void {
  for (const [id, document] of found) {
    if ('id' in document) expect(String(document['id']), `_id of a document in ${alias}`).toBe(id);
  }
  if (expected.count !== undefined) expect(found.size, `documents in ${alias}`).toBe(expected.count);
  const byIdentifier = new Map([...found.values()].map((document) => [document['identifier'], document]));
  const find = (row: Row): Row | undefined =>
    'identifier' in row ? byIdentifier.get(row['identifier']) : found.get(String(row['id']));
  for (const row of expected.are.map(withIdentifier)) {
    expect(find(row), `document of ${nameOf(row)} in ${alias}`).toEqual(row);
  }
  for (const row of expected.have.map(withIdentifier)) {
    const document = find(row);
    expect(document, `document of ${nameOf(row)} in ${alias}`).toBeDefined();
    const fields = Object.keys(row).map((field) => [field, document?.[field] ?? null]);
    expect(Object.fromEntries(fields), `document of ${nameOf(row)} in ${alias}`).toEqual(row);
  }
  for (const identifier of expected.absent) {
    expect(byIdentifier.has(identifierOf(identifier)), `${identifier} in ${alias}`).toBe(false);
  }
}

async function readIndexes({ local, prefix }: Checked): Promise<Record<string, string[]>> {
  const plain = (name: string): string => name.replaceAll(prefix, '');
  return Object.fromEntries(
    Object.entries(await local.indexes()).map(([name, aliases]) => [plain(name), aliases.map(plain).sort()]),
  );
}

async function checkShape(
  { local, shapesBefore }: Checked,
  table: string,
  differences: { added: string[]; removed: string[] },
): Promise<void> {
  const before = shapesBefore[table];
  if (before === undefined) throw new Error(`there was no table public.${table} before the first step`);
  const after = await local.withApi((session) => readTableShape(session, `public.${quoteIdentifier(table)}`));
  const added = after.filter((line) => !before.includes(line));
  const removed = before.filter((line) => !after.includes(line));
  expect({ added, removed }, `shape of ${table}`).toEqual(differences);
}

async function checkQuery(local: LocalEnvironment, query: Expectation['queries'][number]): Promise<void> {
  const onApi = 'api' in query;
  const text = onApi ? query.api : query.catalog;
  const ask = async (session: Session): Promise<unknown[]> => {
    await session.query(`set search_path = public; set timezone = 'UTC'`);
    const { rows } = await session.query<{ row: unknown }>(`select to_jsonb(q) as row from (${text}) q`);
    return rows.map(({ row }) => row);
  };
  const found = await (onApi ? local.withApi(ask) : local.withCatalog(ask));
  expect(found, text).toEqual(query.gives.map(withIdentifier));
}
