import { FreshetError } from '../errors.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from './identifiers.js';
import { runWithLockRetries } from './lockRetry.js';
import { listParts } from './marks.js';
import { withTransaction, type Session } from './session.js';
import { diffShapes } from './shape/diff.js';
import { describeTable, type IndexShape, type TableShape } from './tableShape.js';
import { planTempTable, type PlanItem, type TempTablePlan } from './tempTablePlan.js';

/** Previous tables that become live again: for the swap they are finished temp tables under other names. */

/** A live table and what a rollback puts into its place. */
export interface PreviousTable {
  readonly live: QualifiedName;
  readonly previousOid: number;
  /** Names of columns that the configuration adds. */
  readonly declaredAdditions: readonly string[];
}

interface Pair extends PreviousTable {
  readonly shape: TableShape;
  readonly previous: TableShape;
}

/**
 * Plans the swap back of all tables of a media type. Changes nothing.
 * Throws PREVIOUS_DIFFERS where a previous table is gone, or is not what the live one is by now: indexes, constraints, columns and so on.
 */
export async function planPreviousTables(
  session: Session,
  runId: string,
  tables: readonly PreviousTable[],
): Promise<TempTablePlan[]> {
  const pairs: Pair[] = [];
  for (const table of tables) pairs.push(await readPair(session, table));
  const plans = pairs.map((pair) => planPair(pair, pairs, runId));
  const differences: string[] = [];
  for (const [place, plan] of plans.entries()) {
    const { shape, previous } = pairs[place] as Pair;
    const name = `${plan.live.schema}.${plan.live.name}`;
    const found = diffWithPrevious(plan, shape, previous).filter((one) => !one.startsWith('grant '));
    const views = await viewsOfColumns(session, shape.oid, plan.previous?.missingColumns ?? []);
    differences.push(...[...found, ...views].map((difference) => `${name}: ${difference}`));
  }
  if (differences.length === 0) return plans;
  throw new FreshetError(
    'PREVIOUS_DIFFERS',
    `The previous tables are not what the live ones are by now: ${differences.join('; ')}.`,
    { differences },
  );
}

async function readPair(session: Session, table: PreviousTable): Promise<Pair> {
  const part = (await listParts(session, null)).find(
    ({ oid, role, kind }) => oid === table.previousOid && role === 'previous' && kind === 'table',
  );
  if (part === undefined) {
    throw new FreshetError(
      'PREVIOUS_DIFFERS',
      `The table that was live before ${table.live.schema}.${table.live.name} (oid ${table.previousOid}) is gone, or somebody renamed it.`,
    );
  }
  return {
    ...table,
    shape: await describeTable(session, table.live),
    previous: await describeTable(session, part.name),
  };
}

function planPair(pair: Pair, pairs: readonly Pair[], runId: string): TempTablePlan {
  const { shape, previous, declaredAdditions } = pair;
  const siblings = pairs.map((one) => one.shape);
  const plan = planTempTable(shape, runId, { siblings, addedColumns: declaredAdditions });
  const present = new Set(previous.columns.map(({ name }) => name));
  return {
    ...plan,
    temp: previous.name,
    items: renameItems(plan.items, previous, pairs),
    addedColumns: plan.addedColumns.filter((name) => present.has(name)),
    previous: {
      oid: previous.oid,
      missingColumns: shape.columns
        .map(({ name }) => name)
        .filter((name) => declaredAdditions.includes(name) && !present.has(name)),
    },
  };
}

/** What tells two indexes of a table apart, but their names. */
function indexKey(index: IndexShape): string {
  const {
    unique,
    definition,
    tablespace,
    clustered,
    replicaIdentity,
    valid,
    comment,
    statistics,
    constraint,
  } = index;
  return JSON.stringify([
    ...[unique, definition, tablespace, clustered, replicaIdentity, valid, comment],
    ...[statistics, constraint],
  ]);
}

/** Each live index with its partner of the previous table; one without keeps the name of a temp table's, which the comparison finds. */
function renameItems(
  items: readonly PlanItem[],
  previous: TableShape,
  pairs: readonly Pair[],
): readonly PlanItem[] {
  const free = [...previous.indexes];
  const tableOf = (oid: number): QualifiedName | undefined =>
    pairs.find(({ shape }) => shape.oid === oid)?.previous.name;
  return items.map((item) => {
    if (item.kind === 'foreign key') return { ...item, tempTarget: tableOf(item.targetOid) ?? item.target };
    if (item.kind !== 'index') return item;
    const place = free.findIndex((candidate) => indexKey(candidate) === indexKey(item));
    const [partner] = place < 0 ? [] : free.splice(place, 1);
    return partner === undefined ? item : { ...item, tempName: partner.name };
  });
}

/**
 * How a previous table differs from the live one, one sentence each. What only moves in the swap is no difference, nor is a declared column that
 * only one of them has. Pure.
 */
export function diffWithPrevious(plan: TempTablePlan, live: TableShape, previous: TableShape): string[] {
  const liveNames = new Map([[quoteQualified(plan.temp), quoteQualified(plan.live)]]);
  for (const item of plan.items) {
    if (item.kind === 'foreign key')
      liveNames.set(quoteQualified(item.tempTarget), quoteQualified(item.target));
  }
  const missing = plan.previous?.missingColumns ?? [];
  const wanted = {
    ...live,
    columns: live.columns.filter(({ name }) => !missing.includes(name)),
    grants: live.grants.filter(({ column }) => column === null || !missing.includes(column)),
  };
  return diffShapes(wanted, previous, {
    declaredAdditions: plan.addedColumns,
    scope: 'temp',
    nameOf: (_oid, name) => liveNames.get(quoteQualified(name)) ?? quoteQualified(name),
  });
}

/** Views that read columns which the previous table lacks: they could not be made to read it. */
async function viewsOfColumns(
  session: Session,
  liveOid: number,
  columns: readonly string[],
): Promise<string[]> {
  if (columns.length === 0) return [];
  const { rows } = await session.query<{ view: string; column: string }>(
    `select distinct r.ev_class::regclass::text as view, a.attname::text as column
     from pg_depend d join pg_rewrite r on r.oid = d.objid
     join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
     where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1
       and a.attname = any($2::text[])`,
    [liveOid, columns],
  );
  return rows.map(
    ({ view, column }) => `view ${view} reads the column ${column}, which the previous table lacks`,
  );
}

/**
 * Takes triggers and policies off the previous tables: what is applied to them must not be told a second time, and the swap gives them those
 * of the live tables. Nobody reads a previous table, so that it is no loss where no swap follows. Repeated it changes nothing.
 */
export async function stripWatchers(session: Session, plans: readonly TempTablePlan[]): Promise<void> {
  for (const { temp } of plans) {
    const { oid, triggers, policies } = await describeTable(session, temp);
    const on = quoteQualified(temp);
    const statements = [
      ...triggers.map(({ name }) => `drop trigger ${quoteIdentifier(name)} on ${on}`),
      ...policies.map(({ name }) => `drop policy ${quoteIdentifier(name)} on ${on}`),
    ];
    if (statements.length === 0) continue;
    const strip = () => withTransaction(session, () => session.query(statements.join('; ')));
    await runWithLockRetries(session, strip, { relation: `${temp.schema}.${temp.name}`, oids: [oid] });
  }
}
