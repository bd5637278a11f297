import { afterEach, inject } from 'vitest';
import { quoteIdentifier, quoteQualified, type QualifiedName } from '../../../src/postgres/identifiers.js';
import { addConstraints, buildOtherIndexes, buildUniqueKeys } from '../../../src/postgres/indexBuild.js';
import { diffTables, vacuumTempTable } from '../../../src/postgres/finishTempTable.js';
import { dropParts, whyTableKept } from '../../../src/postgres/generations.js';
import { ensureMarks, listParts, type Part } from '../../../src/postgres/marks.js';
import { openSession, withSession, withTransaction, type Session } from '../../../src/postgres/session.js';
import { diffShapes } from '../../../src/postgres/shape/diff.js';
import {
  swapTables,
  validateForeignKeys,
  type SwapOptions,
  type SwapRecord,
} from '../../../src/postgres/swap.js';
import { assertCarryable, describeTable, type TableShape } from '../../../src/postgres/tableShape.js';
import { createTempTable } from '../../../src/postgres/tempTable.js';
import { planTempTable, type TempTablePlan } from '../../../src/postgres/tempTablePlan.js';
import { createDatabase } from '../../setup/databases.js';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export interface ApiDatabase {
  readonly url: string;
  readonly session: Session;
  /** Runs statements as a user writes them, names resolving in public. */
  run(sql: string): Promise<void>;
  rows<T>(sql: string): Promise<T[]>;
  open(): Promise<Session>;
}

/** A database of this test alone with these tables; gone after the test. */
export async function createApi(sql: string, serverUrl = inject('parts').apiUrl): Promise<ApiDatabase> {
  const database = await createDatabase(serverUrl);
  closers.push(() => database.drop());
  const open = async (): Promise<Session> => {
    const session = await openSession(database.url, { applicationName: 'test', called: 'API database' });
    closers.push(() => session.end());
    return session;
  };
  const session = await open();
  await ensureMarks(session);
  const user = await open();
  await user.query('set search_path = public; set row_security = on');
  await user.query(sql);
  return {
    url: database.url,
    session,
    run: async (statements) => {
      await user.query(statements);
    },
    rows: async <T>(query: string) => (await user.query(query)).rows as T[],
    open,
  };
}

export const named = (name: string, schema = 'public'): QualifiedName => ({ schema, name });

export interface RefreshOptions {
  readonly runId: string;
  readonly addedColumns?: Readonly<Record<string, string>>;
  /** Rows of the temp table come from this query over the live table; by default all of them. */
  readonly rowsFrom?: (live: QualifiedName) => string;
  readonly nextId?: bigint | null;
  /** Default: `id`. */
  readonly idColumn?: string;
  readonly isRunOver?: (runId: string) => boolean;
  readonly swap?: Partial<SwapOptions>;
}

async function fillTempTable(api: ApiDatabase, shape: TableShape, options: RefreshOptions): Promise<void> {
  const stored = shape.columns.filter(({ generated }) => generated === null);
  const columns = stored.map(({ name }) => quoteIdentifier(name)).join(', ');
  await withTransaction(api.session, async () => {
    const { name } = await createTempTable(api.session, {
      shape,
      addedColumns: options.addedColumns ?? {},
      runId: options.runId,
      media: 'image',
      snapshotAt: new Date(),
      version: '0',
      isRunOver: options.isRunOver ?? (() => false),
    });
    const from = options.rowsFrom?.(shape.name) ?? `select * from ${quoteQualified(shape.name)}`;
    await api.session.query(
      `insert into ${quoteQualified(name)} (${columns}) overriding system value select ${columns} from (${from}) live`,
    );
  });
}

export async function buildTempTables(
  api: ApiDatabase,
  tables: readonly QualifiedName[],
  options: RefreshOptions,
): Promise<TempTablePlan[]> {
  const shapes: TableShape[] = [];
  for (const name of tables) shapes.push(await describeTable(api.session, name));
  assertCarryable(shapes);
  for (const shape of shapes) await fillTempTable(api, shape, options);
  const addedColumns = Object.keys(options.addedColumns ?? {});
  return shapes.map((shape) => planTempTable(shape, options.runId, { siblings: shapes, addedColumns }));
}

/** Builds everything, the tables beside each other. */
async function buildAll(api: ApiDatabase, plans: readonly TempTablePlan[]): Promise<void> {
  // Keys among tables that swap together need each other's unique keys.
  await Promise.all(plans.map((plan) => buildUniqueKeys(api.url, plan)));
  await Promise.all(
    plans.map(async (plan) => {
      await buildOtherIndexes(api.url, plan, { connections: 2 });
      await addConstraints(api.url, plan);
    }),
  );
  const { rows } = await api.session.query<{ oid: number }>(
    'select t.name::regclass::oid as oid from unnest($1::text[]) t(name)',
    [plans.map(({ temp }) => quoteQualified(temp))],
  );
  await Promise.all(rows.map(({ oid }) => vacuumTempTable(api.url, oid)));
}

/** @returns how the temp tables differ from the live ones. */
export async function finishTempTables(api: ApiDatabase, plans: readonly TempTablePlan[]): Promise<string[]> {
  await buildAll(api, plans);
  const differences: string[] = [];
  for (const { live, temp, addedColumns } of plans)
    differences.push(...(await diffTables(api.session, live, temp, addedColumns)));
  return differences;
}

function swapOptions(
  api: ApiDatabase,
  plans: readonly TempTablePlan[],
  { runId, nextId = null, idColumn = 'id', swap = {} }: RefreshOptions,
): SwapOptions {
  return {
    apiUrl: api.url,
    runId,
    media: 'image',
    version: '0',
    tables: plans.map((plan) => ({ live: plan.live, plan, nextId, idColumn })),
    insideSwap: () => Promise.resolve(0),
    lockWindowMs: 10_000,
    onBlocked: () => undefined,
    ...swap,
  };
}

/** Builds what a run has ready when it comes to the swap. */
export async function prepareRefresh(
  api: ApiDatabase,
  tables: readonly QualifiedName[],
  options: RefreshOptions,
): Promise<SwapOptions> {
  const plans = await buildTempTables(api, tables, options);
  const differences = await finishTempTables(api, plans);
  if (differences.length > 0) throw new Error(`The temp tables differ: ${differences.join('; ')}`);
  return swapOptions(api, plans, options);
}

/** As `refreshTables`, without the comparison before the swap, which the swap makes again: for many tables. */
export async function refreshQuickly(
  api: ApiDatabase,
  tables: readonly QualifiedName[],
  options: RefreshOptions,
): Promise<SwapRecord> {
  const plans = await buildTempTables(api, tables, options);
  await buildAll(api, plans);
  const record = await swapTables(swapOptions(api, plans, options));
  await validateForeignKeys(api.url, record);
  return record;
}

/** All that a run does with the API's tables, from the description to the validated keys. */
export async function refreshTables(
  api: ApiDatabase,
  tables: readonly QualifiedName[],
  options: RefreshOptions,
): Promise<SwapRecord> {
  const record = await swapTables(await prepareRefresh(api, tables, options));
  await validateForeignKeys(api.url, record);
  return record;
}

/** Drops what neither a kept generation nor a run that goes on needs, as a clean-up does. @returns what was dropped. */
export async function dropPrevious(
  url: string,
  options: {
    readonly media: string;
    readonly keepOids: readonly number[];
    readonly isRunOver: (runId: string) => boolean;
  },
): Promise<Part[]> {
  return withSession(url, { applicationName: 'test', called: 'API database' }, async (session) => {
    const { keepOids, isRunOver } = options;
    const whyRunKept = (runId: string): string | null => (isRunOver(runId) ? null : 'it goes on');
    const parts = (await listParts(session, options.media)).filter(
      (part) => whyTableKept(part, { keepOids, whyRunKept }) === null,
    );
    await dropParts(session, parts, 10_000);
    return parts;
  });
}

/** Everything by which readers and writers could tell the table from what it was: empty = nothing. */
export function diffBeforeAfter(
  before: TableShape,
  after: TableShape,
  declaredAdditions: readonly string[] = [],
): string[] {
  return diffShapes(before, after, {
    declaredAdditions,
    scope: 'all',
    nameOf: (_oid, name) => quoteQualified(name),
  });
}
