import type { RefreshDefinition, TableMapping } from '../config/types.js';
import { describeRelation } from '../copy/relations.js';
import { orphanLookRows } from '../limits.js';
import { quoteIdentifier, quoteQualified, parseQualifiedName } from '../postgres/identifiers.js';
import { countOrphans, type OrphanCount } from '../postgres/orphans.js';
import { withSession, withTransaction, type Session } from '../postgres/session.js';
import type { SwapTable } from '../postgres/swap.js';
import { previewFinishedSwap, previewSwap, type SwapPreview } from '../postgres/swapPreview.js';
import { assertCarryable, type ForeignKeyShape, type TableShape } from '../postgres/tableShape.js';
import { keysFromOutside, planTempTable, type TempTablePlan } from '../postgres/tempTablePlan.js';
import { findPhaseResult } from '../state/phases.js';
import { listUnfinishedRuns, type Run } from '../state/runs.js';
import type { Services } from './context.js';
import type { CopySummary } from './steps/copyData.js';
import { describeLiveTables, liveNameOf, tablesOf } from './tables.js';

/** What a promotion of a definition would do to the tables, read without changing anything. */
export interface PlannedSwap {
  /** The held run whose finished tables were looked at; null = what a refresh that began now would do, but for the names that it gives. */
  readonly runId: string | null;
  readonly swap: SwapPreview;
  /** Rows of other tables that would be put aside, per key. */
  readonly orphans: readonly OrphanCount[];
  readonly orphansMax: number;
}

/** The run id that a plan has where there is no run: parts of names are its digest. */
const plannedRunId = 'plan';

/**
 * The swap of a held run, or of a refresh that would begin now. Changes nothing; takes no lock that anybody waits for. Throws TABLE_MISSING,
 * TABLE_FEATURE_UNSUPPORTED, SHAPE_DIFFERS where the promotion would.
 */
export async function planSwap(services: Services, definition: RefreshDefinition): Promise<PlannedSwap> {
  const { apiUrl, catalogUrl } = await services.resolve(definition.environment.name);
  const run = await findHeldRun(services, definition);
  const { orphansMax } = definition.environment.gate;
  return withSession(apiUrl, { applicationName: 'freshet plan', called: 'API database' }, async (session) => {
    const shapes = await describeLiveTables(session, definition.media);
    assertCarryable(shapes);
    const tables = planTables(definition, shapes, run?.id ?? plannedRunId, await readNextIds(services, run));
    const plans = tables.map(({ plan }) => plan);
    if (run !== null) {
      const swap = await previewFinishedSwap(session, tables);
      return { runId: run.id, swap, orphans: await countOrphans(session, plans), orphansMax };
    }
    const added = tablesOf(definition.media).map((mapping) => mapping.addedColumns);
    const swap = await previewSwap(session, tables, added);
    const orphans = await withSession(
      catalogUrl,
      { applicationName: 'freshet plan', called: 'catalog' },
      (catalog) => countFutureOrphans(session, catalog, definition, plans),
    );
    return { runId: null, swap, orphans, orphansMax };
  });
}

async function findHeldRun({ state }: Services, definition: RefreshDefinition): Promise<Run | null> {
  const runs = await listUnfinishedRuns(state, definition.environment.name);
  const run = runs.find((one) => one.definition === definition.id && one.state === 'held');
  return run === undefined || run.flow !== 'refresh' || run.parameters.skipCopyData ? null : run;
}

/** By downstream table; of a run that has copied. */
async function readNextIds(
  { state }: Services,
  run: Run | null,
): Promise<ReadonlyMap<string, string | null>> {
  if (run === null) return new Map();
  const copied = (await findPhaseResult(state, run.id, 'copy')) as CopySummary | null;
  return new Map(copied?.tables.map(({ table, nextId }) => [table, nextId]) ?? []);
}

function planTables(
  { media }: RefreshDefinition,
  shapes: readonly TableShape[],
  runId: string,
  nextIds: ReadonlyMap<string, string | null>,
): SwapTable[] {
  return tablesOf(media).map((mapping, index) => {
    const shape = shapes[index];
    if (shape === undefined) throw new Error(`no shape of ${mapping.downstream}`);
    const siblings = shapes.filter((other) => other !== shape);
    const nextId = nextIds.get(mapping.downstream) ?? null;
    return {
      live: liveNameOf(mapping),
      plan: planTempTable(shape, runId, { siblings, addedColumns: Object.keys(mapping.addedColumns) }),
      nextId: nextId === null ? null : BigInt(nextId),
      idColumn: mapping.idColumn,
    };
  });
}

/**
 * Rows that would refer to nothing if the catalog were copied now: those of a record that the catalog does not have any more, or that is listed as
 * deleted. Of each key the referring rows are read once, in one snapshot, `orphanLookRows` records at a time.
 */
async function countFutureOrphans(
  api: Session,
  catalog: Session,
  definition: RefreshDefinition,
  plans: readonly TempTablePlan[],
): Promise<OrphanCount[]> {
  const counts: OrphanCount[] = [];
  for (const [index, mapping] of tablesOf(definition.media).entries()) {
    const plan = plans[index];
    if (plan === undefined) continue;
    const keys = keysFromOutside(plan, plan.shape.inboundKeys);
    for (const key of keys) {
      const rows = await countVanishing(api, catalog, mapping, key);
      counts.push({ table: key.table, foreignKey: key.name, target: key.target, rows });
    }
  }
  return counts;
}

interface Referred {
  /** Values of the mapping's key, as text. */
  readonly key: readonly (string | null)[];
  readonly rows: number;
  readonly deleted: boolean;
}

async function countVanishing(
  api: Session,
  catalog: Session,
  mapping: TableMapping,
  key: ForeignKeyShape,
): Promise<number> {
  const findMissing = await missingIn(catalog, mapping);
  return withTransaction(
    api,
    async () => {
      await api.query(`declare referred no scroll cursor for ${referredQuery(mapping, key)}`);
      let vanishing = 0;
      for (;;) {
        const { rows } = await api.query<Referred>(`fetch ${orphanLookRows} from referred`);
        if (rows.length === 0) return vanishing;
        const missing = await findMissing(rows.map((row) => row.key));
        for (const [place, row] of rows.entries())
          if (row.deleted || missing.has(place)) vanishing += row.rows;
      }
    },
    'begin transaction isolation level repeatable read read only',
  );
}

/** The live records that rows of the key's table refer to, and by how many rows each. */
function referredQuery({ key: keyColumns, deletedMediaTable }: TableMapping, key: ForeignKeyShape): string {
  const live = quoteQualified(key.target);
  const joined = key.columns.map((column, position) => {
    const target = quoteIdentifier(key.targetColumns[position] ?? '');
    return `l.${target} operator(${key.operators[position] ?? 'pg_catalog.='}) r.${quoteIdentifier(column)}`;
  });
  const values = keyColumns.map((column) => `l.${quoteIdentifier(column)}`);
  const deleted =
    deletedMediaTable === null
      ? 'false'
      : `exists (select from ${quoteQualified(parseQualifiedName(deletedMediaTable))} d where d.identifier = l.identifier)`;
  return `select array[${values.map((value) => `${value}::text`).join(', ')}] as key, count(*)::int8::float8 as rows, bool_or(${deleted}) as deleted
    from ${quoteQualified(key.table)} r join ${live} l on ${joined.join(' and ')} group by ${values.join(', ')}`;
}

/** @returns a function that tells which of these keys the catalog does not have, by their place. */
async function missingIn(
  catalog: Session,
  mapping: TableMapping,
): Promise<(keys: readonly (readonly (string | null)[])[]) => Promise<ReadonlySet<number>>> {
  const upstream = await describeRelation(catalog, mapping.upstream, 'catalog');
  const nameIn = new Map(Object.entries(mapping.renames).map(([from, to]) => [to, from]));
  const columns = mapping.key.map((column) => nameIn.get(column) ?? column);
  const types = columns.map((column) => upstream.columns.get(column)?.type ?? 'text');
  const equal = columns.map(
    (column, place) => `u.${quoteIdentifier(column)} = (k.value ->> ${place})::${types[place] ?? 'text'}`,
  );
  const query = `select (k.place - 1)::int as place from jsonb_array_elements($1::jsonb) with ordinality k(value, place)
    where not exists (select from ${quoteQualified(upstream.name)} u where ${equal.join(' and ')})`;
  return async (keys) => {
    const { rows } = await catalog.query<{ place: number }>(query, [JSON.stringify(keys)]);
    return new Set(rows.map(({ place }) => place));
  };
}
