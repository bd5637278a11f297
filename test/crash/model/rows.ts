import type { TableModel } from './media.js';
import type { Column, Row } from './tables.js';

/** In place of an id: a new record takes one of the next ids, whichever. In place of a time: when the copy was made. */
export const newId = 'new';
export const copyTime = 'now';

export interface CopyModel {
  readonly table: TableModel;
  readonly catalog: readonly Row[];
  readonly columns: readonly Column[];
  /** The live rows before the refresh. */
  readonly before: readonly Row[];
  /** Identifiers that the deleted-media table lists. */
  readonly deleted: ReadonlySet<string>;
  /** By identifier; null where the table has no tags. */
  readonly filteredTags: ReadonlyMap<string, string> | null;
}

/** The rows that a refresh makes live, by key. */
export function copiedRows(model: CopyModel): Map<string, Row> {
  const { table, catalog, before, deleted } = model;
  const known = new Map(before.map((row) => [keyOf(table, row), row]));
  const upstreamNames = new Map(Object.entries(table.renames).map(([from, to]) => [to, from]));
  const rows = new Map<string, Row>();
  for (const record of catalog) {
    if (deleted.has(record['identifier'] ?? '')) continue;
    const live = known.get(keyOf(table, record));
    const row = model.columns.map(({ name, constantDefault }): [string, string | null] => {
      const upstreamName = upstreamNames.get(name) ?? name;
      if (name === 'id') return [name, live?.['id'] ?? newId];
      if (name in table.kept)
        return [name, live === undefined ? (table.kept[name] ?? null) : (live[name] ?? null)];
      if (!(upstreamName in record)) {
        return [name, name === 'created_on' || name === 'updated_on' ? copyTime : constantDefault];
      }
      const value = record[upstreamName] ?? null;
      return [name, name === 'tags' ? (model.filteredTags?.get(record['identifier'] ?? '') ?? value) : value];
    });
    rows.set(keyOf(table, record), Object.fromEntries(row));
  }
  return rows;
}

export function keyOf({ key }: TableModel, row: Row): string {
  return key.map((column) => row[column] ?? '\\N').join('\t');
}

/**
 * How the found rows differ from the expected ones, as sentences. New records have the ids from `firstNewId` on, without gaps; which of them has
 * which is free.
 * @param since times that stand for the copy's moment are not before it.
 */
export function compareRows(
  table: TableModel,
  expected: ReadonlyMap<string, Row>,
  found: readonly Row[],
  { firstNewId, since }: { readonly firstNewId: number; readonly since: Date },
): string[] {
  const problems: string[] = [];
  const rest = new Map(expected);
  const newIds: number[] = [];
  for (const row of found) {
    const key = keyOf(table, row);
    const wanted = rest.get(key);
    rest.delete(key);
    if (wanted === undefined)
      problems.push(`${table.live}: the row ${key} should not be there, or is there twice`);
    else problems.push(...compareRow(table, key, wanted, row, newIds, since));
  }
  for (const key of rest.keys()) problems.push(`${table.live}: the row ${key} is missing`);
  const gaps = newIds.sort((one, other) => one - other).some((id, place) => id !== firstNewId + place);
  if (gaps)
    problems.push(
      `${table.live}: new records have the ids ${newIds.join(', ')} instead of those from ${firstNewId} on`,
    );
  return problems;
}

function compareRow(
  table: TableModel,
  key: string,
  wanted: Row,
  found: Row,
  newIds: number[],
  since: Date,
): string[] {
  const names = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  return [...names].flatMap((name) => {
    const [expected, value] = [wanted[name], found[name]];
    if (name === 'id' && expected === newId) {
      newIds.push(Number(value));
      return [];
    }
    if (expected === copyTime && new Date(value ?? 0) >= since) return [];
    return expected === value ? [] : [`${table.live} ${key}: ${name} is ${value} instead of ${expected}`];
  });
}
