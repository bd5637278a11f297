import {
  swapEvictionTimeoutMs,
  swapLockTimeoutMs,
  swapLocksTimeoutMs,
  swapStatementTimeoutMs,
} from '../limits.js';
import { quoteQualified, tempTableOf, type QualifiedName } from './identifiers.js';
import { rehearsalStatements } from './rehearsal.js';
import type { Session } from './session.js';
import { exclusiveLockStatements, listLockStatement, shapeLockStatement } from './swapLocks.js';
import { catalogStatements, prepareSwap, type PreparedSwap, type SwapTable } from './swapPlan.js';
import { validateKeyStatement } from './swapStatements.js';
import { describeTable, type ForeignKeyShape, type TableShape } from './tableShape.js';
import { plannedIndexes, type TempTablePlan } from './tempTablePlan.js';

/** One table of a swap that has not happened. */
export interface PreviewedTable {
  readonly live: QualifiedName;
  /** What the live table will be called. */
  readonly previous: QualifiedName;
  /** Declared columns that the live table lacks. */
  readonly additions: readonly string[];
  readonly indexes: readonly string[];
}

/** A part of the swap: what it is for, and its statements in order. */
export interface PreviewedPart {
  readonly title: string;
  readonly statements: readonly string[];
}

export interface SwapPreview {
  readonly tables: readonly PreviewedTable[];
  /** Keys of other tables that point at the live ones: dropped, added again and validated. */
  readonly keys: readonly ForeignKeyShape[];
  readonly views: readonly QualifiedName[];
  readonly parts: readonly PreviewedPart[];
}

/**
 * Reads what the swap of finished temp tables would do. Changes nothing and takes no lock that anybody waits for. Throws SHAPE_DIFFERS where the
 * swap would.
 */
export async function previewFinishedSwap(
  session: Session,
  tables: readonly SwapTable[],
): Promise<SwapPreview> {
  return describeSwap(await prepareSwap(session, tables));
}

/**
 * Reads what the swap would do if the temp tables were made now: makes them, empty, under names of their own, and undoes it. The statements have the
 * names that the temp tables of run `tables[].plan.runId` would have.
 */
export async function previewSwap(
  session: Session,
  tables: readonly SwapTable[],
  addedColumns: readonly Readonly<Record<string, string>>[],
): Promise<SwapPreview> {
  const stands = tables.map((table) => ({ ...table, plan: { ...table.plan, temp: standInOf(table.plan) } }));
  const readTemp = (_session: Session, plan: TempTablePlan): Promise<TableShape> =>
    describeTable(session, plan.temp);
  await session.query('begin');
  try {
    for (const [index, { plan }] of stands.entries())
      for (const statement of rehearsalStatements(plan, addedColumns[index] ?? {}))
        await session.query(statement);
    return describeSwap(withTempNames(await prepareSwap(session, stands, readTemp), tables));
  } finally {
    await session.query('rollback');
  }
}

const standInPrefix = 'plan_import_';

/** As long as the temp table's name, so that Postgres makes the same names from it. A run may have the real one at work. */
function standInOf({ live }: TempTablePlan): QualifiedName {
  const { schema, name } = tempTableOf(live);
  return { schema, name: `${standInPrefix}${name.slice(standInPrefix.length)}` };
}

function withTempNames(prepared: PreparedSwap, tables: readonly SwapTable[]): PreparedSwap {
  const names = tables.map(
    ({ plan }) => [quoteQualified(standInOf(plan)), quoteQualified(plan.temp)] as const,
  );
  const renamed = (statements: readonly string[]): string[] =>
    statements.map((statement) => names.reduce((text, [from, to]) => text.replaceAll(from, to), statement));
  return {
    ...prepared,
    tables: prepared.tables.map((table, index) => ({
      ...table,
      plan: tables[index]?.plan ?? table.plan,
      renames: renamed(table.renames),
      sequences: renamed(table.sequences),
      watchers: renamed(table.watchers),
      grants: renamed(table.grants),
    })),
  };
}

function describeSwap(prepared: PreparedSwap): SwapPreview {
  return {
    tables: prepared.tables.map(({ plan, swapped }) => ({
      live: plan.live,
      previous: swapped.previous,
      additions: plan.addedColumns,
      indexes: plannedIndexes(plan).map(({ liveName }) => liveName),
    })),
    keys: prepared.keys,
    views: prepared.views.map(({ name }) => name),
    parts: partsOf(prepared),
  };
}

/** The transaction of `swapTables`, as far as it is the same for every run: what moves rows depends on what writers did. */
function partsOf(prepared: PreparedSwap): PreviewedPart[] {
  const lists = listLockStatement(prepared);
  return [
    {
      title: 'Changes of shape are kept out; readers and writers go on',
      statements: [
        'begin',
        `set local lock_timeout = ${swapEvictionTimeoutMs}`,
        shapeLockStatement(prepared.tables.map(({ plan }) => plan.live)),
        shapeLockStatement(prepared.tables.map(({ plan }) => plan.temp)),
      ],
    },
    {
      title:
        'Writers of the lists are kept out; deletions are applied to the new rows, orphans are put aside',
      statements: [`set local lock_timeout = ${swapLockTimeoutMs}`, ...(lists === null ? [] : [lists])],
    },
    {
      title: 'Everybody is kept out, from here to the commit; what was deleted since is applied',
      statements: [
        `set local statement_timeout = ${swapLocksTimeoutMs}`,
        ...exclusiveLockStatements(prepared),
        `set local statement_timeout = ${swapStatementTimeoutMs}`,
      ],
    },
    {
      title: 'The tables change over',
      statements: [...catalogStatements(prepared), 'commit'],
    },
    {
      title: 'Keys of other tables are validated; readers and writers go on',
      statements: prepared.keys.filter(({ valid }) => valid).map(validateKeyStatement),
    },
  ];
}
