import type { QualifiedName } from '../identifiers.js';
import type {
  ColumnShape,
  ForeignKeyShape,
  Grant,
  IndexShape,
  StatisticsShape,
  TableShape,
} from './types.js';

export interface DiffOptions {
  /** Columns that only the second table may have. */
  readonly declaredAdditions: readonly string[];
  /** What a table is called in the comparison: temp tables by the live name that they will have. */
  readonly nameOf: (oid: number, name: QualifiedName) => string;
  /**
   * `temp`: what only the swap makes or moves is left out: names of indexes, statistics and identity sequences, keys of other tables, views,
   * owners of sequences, triggers, policies, publications. `rehearsal`: as `temp`, but with triggers and policies. `all`: nothing is left out.
   */
  readonly scope: 'temp' | 'rehearsal' | 'all';
}

type Scope = DiffOptions['scope'];

type Facts = Map<string, string>;

/** As text, keys in one order: a shape that was stored comes back with its keys in another. */
function show(value: unknown): string {
  const ordered = (_key: string, part: unknown): unknown =>
    part === null || typeof part !== 'object' || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)));
  return JSON.stringify(value, ordered) ?? 'nothing';
}

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
  addFact(facts, 'row security', shape.rowSecurity);
  addFact(facts, 'forced row security', shape.rowSecurityForced);
  addFact(facts, 'replica identity', shape.replicaIdentity);
  for (const option of [...shape.options].sort()) addFact(facts, `storage parameter ${option}`, true);
  const order = shape.columns.map(({ name }) => name).filter((name) => !additions.has(name));
  addFact(facts, 'order of columns', order);
}

function addColumns(facts: Facts, shape: TableShape, additions: ReadonlySet<string>, scope: Scope): void {
  for (const { name, identity, ...column } of shape.columns) {
    if (additions.has(name)) continue;
    for (const [property, value] of Object.entries(column))
      addFact(facts, `${property} of column ${name}`, value);
    if (identity !== null) addIdentity(facts, name, identity, scope);
  }
}

function addIdentity(
  facts: Facts,
  column: string,
  { kind, name, options, comment, grants }: NonNullable<ColumnShape['identity']>,
  scope: Scope,
): void {
  addFact(facts, `identity of column ${column}`, { kind, options, comment });
  if (scope === 'all') addFact(facts, `identity sequence of column ${column}`, `${name.schema}.${name.name}`);
  for (const grant of grants) addGrant(facts, ` on the sequence of column ${column}`, grant);
}

function addGrant(facts: Facts, where: string, { grantee, privilege, grantable }: Grant): void {
  addFact(facts, `grant ${privilege}${where} to ${grantee ?? 'public'}`, { grantable });
}

/** Adds what may have equals, told apart by nothing but their names: in an order that both tables have. */
function addUnnamed(facts: Facts, found: readonly (readonly [label: string, value: unknown])[]): void {
  const ordered = found.map(([label, value]) => ({ label, value, key: `${label} ${show(value)}` }));
  ordered.sort((one, other) => (one.key < other.key ? -1 : 1));
  for (const { label, value } of ordered) addFact(facts, label, value);
}

function factOfIndex(index: IndexShape, scope: Scope): readonly [string, unknown] {
  const {
    name,
    unique,
    definition,
    constraint,
    tablespace,
    clustered,
    replicaIdentity,
    valid,
    comment,
    statistics,
  } = index;
  const kind = constraint?.type ?? (unique ? 'unique index' : 'index');
  const label = scope === 'all' ? `${kind} ${name} ${String(definition)}` : `${kind} ${String(definition)}`;
  return [label, { constraint, tablespace, clustered, replicaIdentity, valid, comment, statistics }];
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
  for (const { name, columns, filter } of shape.publications)
    addFact(facts, `publication ${name}`, { columns, filter });
}

function factOfStatistics(
  { name, owner, kinds, columns, target, comment }: StatisticsShape,
  scope: Scope,
): readonly [string, unknown] {
  const label = scope === 'all' ? `statistics ${name.schema}.${name.name}` : `statistics in ${name.schema}`;
  return [`${label} on ${columns}`, { owner, kinds, target, comment }];
}

/** What is made under the live name only. */
function addWatchers(facts: Facts, shape: TableShape): void {
  for (const { name, ...trigger } of shape.triggers) addFact(facts, `trigger ${name}`, trigger);
  for (const { name, ...policy } of shape.policies) addFact(facts, `policy ${name}`, policy);
}

function factsOf(shape: TableShape, options: DiffOptions): Facts {
  const facts: Facts = new Map();
  const additions = new Set(options.declaredAdditions);
  addTable(facts, shape, additions);
  addColumns(facts, shape, additions, options.scope);
  addUnnamed(
    facts,
    shape.indexes.map((index) => factOfIndex(index, options.scope)),
  );
  for (const check of shape.checks) addFact(facts, `${check.type} ${check.name}`, check);
  for (const key of shape.outboundKeys) addForeignKey(facts, '', key, options);
  addUnnamed(
    facts,
    shape.statistics.map((statistics) => factOfStatistics(statistics, options.scope)),
  );
  for (const grant of shape.grants) {
    if (grant.column !== null && additions.has(grant.column)) continue;
    addGrant(facts, grant.column === null ? '' : ` on column ${grant.column}`, grant);
  }
  for (const feature of shape.unsupported) addFact(facts, feature, true);
  if (options.scope !== 'temp') addWatchers(facts, shape);
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
