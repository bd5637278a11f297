import { FreshetError } from '../errors.js';
import { withoutOwnKeys } from './compareGenerations.js';
import { diffWithTemp } from './finishTempTable.js';
import { quoteQualified, type QualifiedName } from './identifiers.js';
import { hasMarks, readPart, type Part } from './marks.js';
import { previousTableName } from './names.js';
import { diffWithPrevious } from './previousTables.js';
import type { Session } from './session.js';
import { grantStatements } from './shape/grants.js';
import type { SwappedObject, SwappedTable } from './swapRecord.js';
import {
  addKeyStatements,
  dropKeyStatement,
  forwardIdentityStatement,
  planIndexNames,
  planObjectNames,
  renameObjectStatements,
  renameStatements,
  replaceViewStatement,
  sequenceStatements,
} from './swapStatements.js';
import { describeTable, type ForeignKeyShape, type TableShape, type ViewShape } from './tableShape.js';
import { findTempTable } from './tempTableBuild.js';
import { keysFromOutside, plannedIndexes, type TempTablePlan } from './tempTablePlan.js';
import { publicationStatements, watcherStatements } from './watcherStatements.js';

export interface SwapTable {
  readonly live: QualifiedName;
  readonly plan: TempTablePlan;
  /** The id that the next new record gets: the sequence of `idColumn` is set to it, forward only. Null where the table has no ids. */
  readonly nextId: bigint | null;
  readonly idColumn: string;
}

/** One table of the swap, as it is under a lock that keeps changes of its shape out. */
export interface PreparedTable {
  readonly plan: TempTablePlan;
  readonly shape: TableShape;
  readonly tempOid: number;
  /** The live table's mark; null where freshet did not make it. */
  readonly part: Part | null;
  readonly swapped: SwappedTable;
  readonly keys: readonly ForeignKeyShape[];
  readonly renames: readonly string[];
  readonly sequences: readonly string[];
  /** Triggers, policies, publications. */
  readonly watchers: readonly string[];
  readonly grants: readonly string[];
}

/** The whole swap, thought out before readers are kept out. */
export interface PreparedSwap {
  readonly tables: readonly PreparedTable[];
  readonly keys: readonly ForeignKeyShape[];
  readonly views: readonly ViewShape[];
  /** Tables whose keys point at a live table: they are locked too. */
  readonly referencing: readonly QualifiedName[];
  /** Everything that is locked, for showing who blocks. */
  readonly lockedOids: readonly number[];
  /** What views, grants, publications and statistics objects looked like: none of them is kept from changing by the first lock. */
  readonly fingerprint: string;
}

function assertSameShape(plan: TempTablePlan, shape: TableShape, temp: TableShape): void {
  const differences =
    plan.previous === undefined
      ? diffWithTemp(shape, temp, plan.addedColumns)
      : diffWithPrevious(plan, shape, temp);
  // Grants move in the swap as they are then.
  const relevant = differences.filter((difference) => !difference.startsWith('grant '));
  if (relevant.length === 0) return;
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `${plan.temp.schema}.${plan.temp.name} is not what ${plan.live.schema}.${plan.live.name} is now: ${relevant.join('; ')}.`,
    { differences: relevant },
  );
}

function assertSameTable(plan: TempTablePlan, shape: TableShape): void {
  if (shape.oid === plan.liveOid) return;
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `${plan.live.schema}.${plan.live.name} is another table than when run ${plan.runId} began.`,
  );
}

/** Names are given by position: an index that was renamed, or a plan that was made after it, must not give one index another's name. */
function assertSameIndexes(plan: TempTablePlan, shape: TableShape, temp: TableShape): void {
  const liveByName = new Map(shape.indexes.map((index) => [index.name, index]));
  const tempByName = new Map(temp.indexes.map((index) => [index.name, index]));
  const wrong = plannedIndexes(plan).filter(
    ({ liveName, tempName, definition }) =>
      liveByName.get(liveName)?.definition !== definition ||
      tempByName.get(tempName)?.definition !== definition,
  );
  if (wrong.length === 0) return;
  const names = wrong.map(({ liveName }) => liveName).join(', ');
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `Indexes of ${plan.live.schema}.${plan.live.name} are not those that were built: ${names}.`,
  );
}

/** Sequences behind defaults move along; those of identity columns stay, and the new one goes on where the old one stands. */
function moveSequences(
  { plan, nextId, idColumn }: SwapTable,
  shape: TableShape,
  objects: readonly SwappedObject[],
): string[] {
  const idSequence = shape.columns.find(({ name }) => name === idColumn)?.identity?.name;
  const isIdSequence = ({ liveName }: SwappedObject): boolean =>
    idSequence !== undefined && quoteQualified(liveName) === quoteQualified(idSequence);
  return [
    ...shape.sequences.flatMap((sequence) =>
      sequenceStatements(sequence, plan.live, sequence.defaultOf === idColumn ? nextId : null),
    ),
    ...objects
      .filter(({ kind }) => kind === 'sequence')
      .map((object) => forwardIdentityStatement(object, isIdSequence(object) ? nextId : null)),
  ];
}

/** Rights as they are now: those that were given while the run went on as well. */
function moveGrants(live: QualifiedName, shape: TableShape, temp: TableShape): string[] {
  return [
    ...grantStatements(live, temp.grants, shape.grants),
    ...shape.columns.flatMap(({ name, identity }) => {
      const own = temp.columns.find((column) => column.name === name)?.identity;
      return identity === null || !own
        ? []
        : grantStatements(identity.name, own.grants, identity.grants, 'sequence');
    }),
  ];
}

/** The temp table as the swap finds it: finished, and this run's. Throws SHAPE_DIFFERS. */
async function readFinished(session: Session, plan: TempTablePlan, shape: TableShape): Promise<TableShape> {
  assertSameTable(plan, shape);
  await findTempTable(session, plan);
  const temp = await describeTable(session, plan.temp);
  assertSameShape(plan, shape, temp);
  assertSameIndexes(plan, shape, temp);
  return temp;
}

async function prepareTable(
  session: Session,
  table: SwapTable,
  readTemp: typeof readFinished,
): Promise<PreparedTable> {
  const { plan } = table;
  const shape = await describeTable(session, plan.live);
  const temp = await readTemp(session, plan, shape);
  const indexes = plannedIndexes(plan);
  const swappedIndexes = planIndexNames(indexes, plan.runId, shape.oid);
  const objects = planObjectNames(shape, temp, plan.runId);
  const previous = { schema: plan.live.schema, name: previousTableName(plan.live.name, plan.runId) };
  return {
    plan,
    shape,
    tempOid: temp.oid,
    part: (await hasMarks(session)) ? await readPart(session, shape.oid) : null,
    swapped: {
      live: plan.live,
      liveOid: temp.oid,
      previous,
      previousOid: shape.oid,
      indexes: swappedIndexes,
      objects,
      before: await withoutOwnKeys(session, shape),
    },
    keys: keysFromOutside(plan, shape.inboundKeys),
    renames: [
      ...renameStatements({
        live: plan.live,
        temp: plan.temp,
        previousName: previous.name,
        indexes,
        swappedIndexes,
      }),
      ...renameObjectStatements(objects),
    ],
    sequences: moveSequences(table, shape, objects),
    watchers: [
      ...watcherStatements(plan.live, shape),
      ...shape.publications.flatMap((one) => publicationStatements(plan.live, previous, one)),
    ],
    grants: moveGrants(plan.live, shape, temp),
  };
}

/** Views, grants, publications and statistics objects of the live tables as one text. */
export async function readFingerprint(session: Session, oids: readonly number[]): Promise<string> {
  const { rows } = await session.query<{ fingerprint: string }>(
    `select coalesce(string_agg(part, ' ' order by part), '') as fingerprint from (
       select 'relation ' || oid || coalesce(relacl::text, '') from pg_class where oid = any($1::oid[])
       union all
       select 'column ' || attrelid || ' ' || attnum || attacl::text from pg_attribute where attrelid = any($1::oid[]) and attacl is not null
       union all
       select distinct 'view ' || r.ev_class || ' ' || r.oid || ' ' || r.xmin || coalesce(v.reloptions::text, '')
         from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
         where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = any($1::oid[])
     ) parts(part)`,
    [oids],
  );
  return rows[0]?.fingerprint ?? '';
}

function distinctBy<T>(values: readonly T[], keyOf: (value: T) => unknown): T[] {
  return [...new Map(values.map((value) => [keyOf(value), value])).values()];
}

/**
 * Describes, compares and writes out the swap. The live tables are locked against changes of their shape, readers and writers go on.
 * @param readTemp for a look at a swap whose temp tables are not finished: reads what there is, without comparing.
 */
export async function prepareSwap(
  session: Session,
  swapTables: readonly SwapTable[],
  readTemp = readFinished,
): Promise<PreparedSwap> {
  const liveOids = swapTables.map(({ plan }) => plan.liveOid);
  const fingerprint = await readFingerprint(session, liveOids);
  const tables: PreparedTable[] = [];
  for (const table of swapTables) tables.push(await prepareTable(session, table, readTemp));
  const keys = tables.flatMap((table) => table.keys);
  const views = distinctBy(
    tables.flatMap(({ shape }) => shape.views),
    ({ oid }) => oid,
  );
  return {
    tables,
    keys,
    views,
    referencing: distinctBy(
      keys.map(({ table }) => table),
      quoteQualified,
    ),
    lockedOids: [
      ...liveOids,
      ...tables.map(({ tempOid }) => tempOid),
      ...keys.map(({ tableOid }) => tableOid),
      ...views.map(({ oid }) => oid),
    ],
    fingerprint,
  };
}

/** All that changes, in order. The names of the live tables are the old ones before `renames` and the promoted ones after it. */
export function catalogStatements({ tables, keys, views }: PreparedSwap): string[] {
  return [
    // Rows that were changed in this transaction may have deferred checks outstanding, which forbid `alter table`.
    'set constraints all immediate',
    ...keys.map(dropKeyStatement),
    ...tables.flatMap(({ renames }) => renames),
    ...tables.flatMap(({ sequences }) => sequences),
    ...keys.flatMap(addKeyStatements),
    ...views.map(replaceViewStatement),
    ...tables.flatMap(({ watchers }) => watchers),
    ...tables.flatMap(({ grants }) => grants),
  ];
}
