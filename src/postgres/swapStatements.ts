import { quoteIdentifier, quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.js';
import { previousIndexName, previousObjectName } from './names.js';
import type { ForeignKeyShape, SequenceShape, TableShape, ViewShape } from './tableShape.js';
import { optionList } from './tempTable.js';
import type { SwappedIndex, SwappedObject } from './swapRecord.js';
import type { PlannedIndex } from './tempTablePlan.js';

/** The statements of the swap, as text: all of them are known before readers are kept out, and go to the server in one message. Pure. */

export function dropKeyStatement({ table, name }: ForeignKeyShape): string {
  return `alter table ${quoteQualified(table)} drop constraint ${quoteIdentifier(name)}`;
}

/** The definition names the live table, which is the promoted one when this runs. NOT VALID: validating would keep readers out for seconds. */
export function addKeyStatements({ table, name, definition, comment }: ForeignKeyShape): string[] {
  const on = quoteQualified(table);
  return [
    `alter table ${on} add constraint ${quoteIdentifier(name)} ${definition} not valid`,
    ...(comment === null
      ? []
      : [`comment on constraint ${quoteIdentifier(name)} on ${on} is ${quoteLiteral(comment)}`]),
  ];
}

/** After the swap's commit: looks at the rows, while readers and writers go on. */
export function validateKeyStatement({ table, name }: Pick<ForeignKeyShape, 'table' | 'name'>): string {
  return `alter table ${quoteQualified(table)} validate constraint ${quoteIdentifier(name)}`;
}

export function planIndexNames(
  indexes: readonly PlannedIndex[],
  runId: string,
  liveOid: number,
): SwappedIndex[] {
  return indexes.map(({ liveName }, position) => ({
    liveName,
    previousName: previousIndexName(runId, liveOid, position + 1),
  }));
}

/** What tells two statistics objects of a table apart, but their names. */
function statisticsKey({
  name,
  kinds,
  columns,
  owner,
  target,
  comment,
}: TableShape['statistics'][number]): string {
  return JSON.stringify([name.schema, kinds, columns, owner, target, comment]);
}

/**
 * Pairs sequences of identity columns by their column, and statistics objects by what they are: both tables were found to be the same, so
 * each has its partner. Names are given by partner, never by place. Pure.
 */
export function planObjectNames(live: TableShape, temp: TableShape, runId: string): SwappedObject[] {
  const identities = live.columns.flatMap((column, index): SwappedObject[] => {
    const own = temp.columns.find(({ name }) => name === column.name)?.identity;
    if (!column.identity || !own) return [];
    const previousName = previousObjectName(runId, live.oid, 'identity', index + 1);
    return [{ kind: 'sequence', tempName: own.name, liveName: column.identity.name, previousName }];
  });
  const free = [...temp.statistics];
  const statistics = live.statistics.flatMap((wanted, index): SwappedObject[] => {
    const place = free.findIndex((candidate) => statisticsKey(candidate) === statisticsKey(wanted));
    const [partner] = place < 0 ? [] : free.splice(place, 1);
    if (partner === undefined) return [];
    const previousName = previousObjectName(runId, live.oid, 'statistics', index + 1);
    return [{ kind: 'statistics', tempName: partner.name, liveName: wanted.name, previousName }];
  });
  return [...identities, ...statistics];
}

/** The renames of sequences and statistics objects: each live name is free before it is taken. */
export function renameObjectStatements(objects: readonly SwappedObject[]): string[] {
  const rename = (kind: string, from: QualifiedName, to: string): string =>
    `alter ${kind} ${quoteQualified(from)} rename to ${quoteIdentifier(to)}`;
  return objects.flatMap(({ kind, tempName, liveName, previousName }) => [
    rename(kind, liveName, previousName),
    rename(kind, tempName, liveName.name),
  ]);
}

/**
 * The identity sequence goes on where the previous one stands, from `nextId` on where that is more, never back. Renaming has locked both, so
 * nothing is given between reading and setting.
 */
export function forwardIdentityStatement(
  { liveName, previousName }: SwappedObject,
  nextId: bigint | null,
): string {
  const live = quoteQualified(liveName);
  const previous = quoteQualified({ schema: liveName.schema, name: previousName });
  const told = nextId === null || nextId <= 1n ? [] : [`select ${nextId - 1n}::int8`];
  const given = [previous, live].map((name) => `select last_value from ${name} where is_called`);
  return `select setval(${quoteLiteral(live)}::regclass, max(given), true) from (${[...given, ...told].join(' union all ')}) as values_given(given) having max(given) is not null`;
}

export interface TableRenames {
  readonly live: QualifiedName;
  readonly temp: QualifiedName;
  readonly previousName: string;
  readonly indexes: readonly PlannedIndex[];
  readonly swappedIndexes: readonly SwappedIndex[];
}

/** Renaming an index renames the constraint that it stands behind. The live names are free before they are taken. */
export function renameStatements(renames: TableRenames): string[] {
  const { live, temp, previousName, indexes, swappedIndexes } = renames;
  const rename = (kind: 'table' | 'index', from: string, to: string): string =>
    `alter ${kind} ${quoteQualified({ schema: live.schema, name: from })} rename to ${quoteIdentifier(to)}`;
  return [
    ...swappedIndexes.map(({ liveName, previousName: to }) => rename('index', liveName, to)),
    rename('table', live.name, previousName),
    ...indexes.map(({ tempName, liveName }) => rename('index', tempName, liveName)),
    rename('table', temp.name, live.name),
  ];
}

/**
 * The sequence goes to the promoted table's column (else dropping the previous table would drop it), and forward to `nextId`, never back.
 * `alter sequence` also keeps `nextval` of others out until the commit, so that nothing is given between reading and setting.
 */
export function sequenceStatements(
  sequence: SequenceShape,
  live: QualifiedName,
  nextId: bigint | null,
): string[] {
  const name = quoteQualified(sequence.name);
  const owner =
    sequence.ownedBy === null ? 'none' : `${quoteQualified(live)}.${quoteIdentifier(sequence.ownedBy)}`;
  const last = nextId === null ? null : nextId - 1n;
  return [
    ...(sequence.ownedElsewhere ? [] : [`alter sequence ${name} owned by ${owner}`]),
    ...(last === null || last < 1n
      ? []
      : [
          `select setval(${quoteLiteral(name)}::regclass, ${last}, true) from ${name} where last_value < ${last} or (last_value = ${last} and not is_called)`,
        ]),
  ];
}

/** Takes the view's lock without changing it. `lock table` on a view would lock everything that it reads as well. */
export function lockViewStatement({ name, owner }: ViewShape): string {
  return `alter view ${quoteQualified(name)} owner to ${quoteIdentifier(owner)}`;
}

/** The definition was read before the rename and names the live table. Keeps owner, grants, comments, column defaults, triggers and dependents of the view; its options must be said again. */
export function replaceViewStatement({ name, definition, options }: ViewShape): string {
  const withOptions = options.length === 0 ? '' : ` with (${optionList(options)})`;
  return `create or replace view ${quoteQualified(name)}${withOptions} as ${definition.replace(/;\s*$/, '')}`;
}
