import type { QualifiedName } from '../identifiers.js';
import type { ForeignKeyShape, IndexShape, TableShape } from './types.js';

export interface DiffOptions {
  /** Columns that only the second table may have. */
  readonly declaredAdditions: readonly string[];
  /** What a table is called in the comparison: temp tables by the live name that they will have. */
  readonly nameOf: (oid: number, name: QualifiedName) => string;
  /** `temp`: names of indexes, keys of other tables, views and owners of sequences only move in the swap, so they are left out. `all`: nothing is. */
  readonly scope: 'temp' | 'all';
}

type Facts = Map<string, string>;

const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

/** Adds a fact; the same label again gets a number, so that two equal indexes count as two. */
function addFact(facts: Facts, label: string, value: unknown): void {
  let unique = label;
  for (let copy = 2; facts.has(unique); copy += 1) unique = `${label} (${copy})`;
  facts.set(unique, show(value));
}

function addTable(facts: Facts, shape: TableShape, additions: ReadonlySet<string>): void {
  addFact(facts, 'owner', shape.owner);
  addFact(facts, 'access method', shape.accessMethod);
  addFact(facts, 'tablespace', shape.tablespace);
  addFact(facts, 'comment', shape.comment);
  for (const option of [...shape.options].sort()) addFact(facts, `storage parameter ${option}`, true);
  const order = shape.columns.map(({ name }) => name).filter((name) => !additions.has(name));
  addFact(facts, 'order of columns', order);
}

function addColumns(facts: Facts, shape: TableShape, additions: ReadonlySet<string>): void {
  for (const { name, ...column } of shape.columns) {
    if (additions.has(name)) continue;
    for (const [property, value] of Object.entries(column))
      addFact(facts, `${property} of column ${name}`, value);
  }
}

function addIndex(facts: Facts, index: IndexShape, scope: DiffOptions['scope']): void {
  const { name, unique, definition, constraint, tablespace, clustered, valid, comment, statistics } = index;
  const kind = constraint?.type ?? (unique ? 'unique index' : 'index');
  const label = scope === 'all' ? `${kind} ${name} ${String(definition)}` : `${kind} ${String(definition)}`;
  addFact(facts, label, { constraint, tablespace, clustered, valid, comment, statistics });
}

function addForeignKey(facts: Facts, direction: string, key: ForeignKeyShape, options: DiffOptions): void {
  const { name, columns, targetColumns, tail, valid, enforced, comment } = key;
  const table = options.nameOf(key.tableOid, key.table);
  const target = options.nameOf(key.targetOid, key.target);
  addFact(facts, `${direction}foreign key ${name} of ${table}`, {
    columns,
    target,
    targetColumns,
    tail,
    valid,
    enforced,
    comment,
  });
}

function addMoved(facts: Facts, shape: TableShape, options: DiffOptions): void {
  for (const key of shape.inboundKeys) addForeignKey(facts, 'inbound ', key, options);
  for (const { name, definition, options: viewOptions } of shape.views) {
    addFact(facts, `view ${name.schema}.${name.name}`, { definition, viewOptions });
  }
  for (const { name, defaultOf, ownedBy } of shape.sequences) {
    addFact(facts, `sequence ${name.schema}.${name.name}`, { defaultOf, ownedBy });
  }
}

function factsOf(shape: TableShape, options: DiffOptions): Facts {
  const facts: Facts = new Map();
  const additions = new Set(options.declaredAdditions);
  addTable(facts, shape, additions);
  addColumns(facts, shape, additions);
  for (const index of shape.indexes) addIndex(facts, index, options.scope);
  for (const check of shape.checks) addFact(facts, `${check.type} ${check.name}`, check);
  for (const key of shape.outboundKeys) addForeignKey(facts, '', key, options);
  for (const { column, grantee, privilege, grantable } of shape.grants) {
    if (column !== null && additions.has(column)) continue;
    const where = column === null ? '' : ` on column ${column}`;
    addFact(facts, `grant ${privilege}${where} to ${grantee ?? 'public'}`, { grantable });
  }
  for (const feature of shape.unsupported) addFact(facts, feature, true);
  if (options.scope === 'all') addMoved(facts, shape, options);
  return facts;
}

/** What of `shape` differs from `wanted`, one sentence each; empty = they are the same. Pure. */
export function diffShapes(wanted: TableShape, shape: TableShape, options: DiffOptions): string[] {
  const present = new Set(wanted.columns.map(({ name }) => name));
  // A declared addition that the first table has as well is compared like any column.
  const declaredAdditions = options.declaredAdditions.filter((name) => !present.has(name));
  const before = factsOf(wanted, { ...options, declaredAdditions });
  const after = factsOf(shape, { ...options, declaredAdditions });
  const missing = [...before.keys()]
    .filter((label) => !after.has(label))
    .map((label) => `${label} is missing`);
  const extra = [...after.keys()].filter((label) => !before.has(label)).map((label) => `${label} is new`);
  const changed = [...before]
    .filter(([label, value]) => after.has(label) && after.get(label) !== value)
    .map(([label, value]) => `${label} is ${String(after.get(label))} instead of ${value}`);
  return [...missing, ...extra, ...changed];
}
