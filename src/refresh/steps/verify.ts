import { FreshetError } from '../../errors.js';
import { idBucketsMax } from '../../limits.js';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.js';
import { diffTables } from '../../postgres/finishTempTable.js';
import { listFreshDeletions } from '../../postgres/reconcileTable.js';
import { countOrphans } from '../../postgres/orphans.js';
import { countDocuments, countPerIdBucket, refreshIndex } from '../../search/counts.js';
import { describeCluster } from '../../search/client.js';
import { differencesFromDefinition } from '../../search/index.js';
import { recordChecks, type Check, type CountsBySource } from '../../state/records.js';
import { setRunState } from '../../state/runs.js';
import { sumSlices } from '../../state/slices.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { reconcileTargetOf, type Reconciled } from '../reconcile.js';
import { compareSample } from '../sample.js';
import { indexedTableOf, liveNameOf, planTables, tablesOf } from '../tables.js';
import {
  checkBuckets,
  checkDocuments,
  checkFiltered,
  checkLosses,
  checkNotEmpty,
  checkOrphans,
  checkRejects,
  checkSame,
  checkSample,
  checkSlices,
} from '../verdicts.js';
import { countSources } from './count.js';
import type { FilteredSummary } from './populateFiltered.js';

/** What earlier steps found and the gate compares with. */
export interface GateInput {
  readonly before: CountsBySource;
  /** Rows of the main table when the slices were read. */
  readonly rows: number;
  readonly filtered: FilteredSummary;
  readonly reconciled: Reconciled;
}

/** The gate: compares, records every check, and refuses the run when one is not passed. Nothing that is live was changed then. */
export const verify =
  (input: GateInput): Step<{ checks: readonly Check[] }> =>
  async (context, report) => {
    await setRunState(context.state, context.run.id, 'verifying');
    const names = indexNamesOf(context);
    await refreshIndex(context.search, names.main);
    await refreshIndex(context.search, names.filtered);
    const checks: Check[] = [];
    const parts = [checkCounts, checkTables, checkIndexes, checkRows];
    for (const [index, part] of parts.entries()) {
      checks.push(...(await part(context, input)));
      report({ done: index + 1, total: parts.length, unit: 'groups of checks' });
    }
    await recordChecks(context.state, context.run.id, checks);
    refuseUnlessPassed(checks);
    return { checks };
  };

/** The gate of the filtered-index flow. */
export const verifyFiltered =
  (input: Pick<GateInput, 'filtered' | 'reconciled'>): Step<{ checks: readonly Check[] }> =>
  async (context) => {
    await setRunState(context.state, context.run.id, 'verifying');
    const names = indexNamesOf(context);
    await refreshIndex(context.search, names.main);
    await refreshIndex(context.search, names.filtered);
    const main = await countDocuments(context.search, names.main);
    const filtered = await countDocuments(context.search, names.filtered);
    const checks = [
      checkFilteredAfterWriters(input, main, filtered),
      checkNotEmpty(filtered, context.definition.environment.gate),
      await checkIndex(context, names.filtered),
    ];
    await recordChecks(context.state, context.run.id, checks);
    refuseUnlessPassed(checks);
    return { checks };
  };

export function refuseUnlessPassed(checks: readonly Check[]): void {
  const failed = checks.filter((check) => !check.passed);
  if (failed.length === 0) return;
  const list = failed.map(
    ({ name, expected, found, detail }) =>
      `${name}: expected ${expected}, found ${found}${detail === null ? '' : ` (${detail})`}`,
  );
  throw new FreshetError('GATE_REFUSED', `Not promoted: ${list.join('; ')}.`, {
    checks: failed.map((check) => check.name),
  });
}

async function checkCounts(context: RunContext, input: GateInput): Promise<Check[]> {
  const { gate } = context.definition.environment;
  const names = indexNamesOf(context);
  const totals = await sumSlices(context.state, context.run.id);
  const main = await countDocuments(context.search, names.main);
  const filtered = await countDocuments(context.search, names.filtered);
  const buckets = await compareBuckets(context, names.main);
  const eligible = buckets.reduce((sum, bucket) => sum + bucket.rows, 0);
  const writersDeleted = context.run.parameters.skipCopyData ? await countDeletions(context, input) : 0;
  return [
    ...checkSlices(input.rows, totals, writersDeleted),
    checkRejects(totals.rejected, gate),
    checkDocuments(eligible, totals.rejected, main, writersDeleted),
    checkFilteredAfterWriters(input, main, filtered),
    checkNotEmpty(main, gate),
    ...checkLosses(input.before, await countSources(context, names.main), gate),
    checkBuckets(buckets, totals.rejected + writersDeleted),
  ];
}

/** Documents that API writers deleted after the filtered index was filled are gone from both: matched ones among them from main only. */
function checkFilteredAfterWriters(
  input: Pick<GateInput, 'filtered' | 'reconciled'>,
  main: number,
  filtered: number,
): Check {
  const { matched } = input.filtered;
  const deleted = input.reconciled.documentsDeleted;
  if (deleted === 0) return checkFiltered(main, filtered, matched);
  const matchedNow = main - filtered;
  const explained = matchedNow <= matched && matched - matchedNow <= deleted;
  return checkFiltered(main, filtered, explained ? matchedNow : matched);
}

function eligibleCondition({ definition, run }: RunContext): { condition: string; parameters: string[] } {
  const { removedColumn, main } = definition.media;
  const parts = ['true'];
  const parameters: string[] = [];
  if (removedColumn !== null) parts.push(`t.${quoteIdentifier(removedColumn)} is not true`);
  if (main.deletedMediaTable !== null) {
    parameters.push(run.id, main.deletedMediaTable);
    parts.push(
      `not exists (select from freshet.applied a where a.run_id = $1 and a.relation = $2 and a.identifier = t.identifier)`,
    );
  }
  return { condition: parts.join(' and '), parameters };
}

/** A live table loses rows while it is read: those that the run has reconciled, and those since. */
async function countDeletions(context: RunContext, input: GateInput): Promise<number> {
  const target = reconcileTargetOf(context, indexedTableOf(context));
  const fresh = await context.withApi((session) => listFreshDeletions(session, target));
  return input.reconciled.documentsDeleted + fresh.length;
}

async function compareBuckets(
  context: RunContext,
  index: string,
): Promise<{ start: number; end: number; rows: number; documents: number }[]> {
  const { condition, parameters } = eligibleCondition(context);
  const id = `t.${quoteIdentifier(context.definition.media.main.idColumn)}`;
  const table = quoteQualified(indexedTableOf(context));
  const buckets = await context.withApi(async (session) => {
    const bounds = await session.query<{ first: string | null; last: string | null }>(
      `select min(${id})::text as first, max(${id})::text as last from ${table} t`,
    );
    const first = Number(bounds.rows[0]?.first ?? 0);
    const last = Number(bounds.rows[0]?.last ?? 0);
    const width = Math.max(1, Math.ceil((last - first + 1) / idBucketsMax));
    const counted = await session.query<{ bucket: string; rows: string }>(
      `select (${id}::bigint - ${first}) / ${width} as bucket, count(*) as rows from ${table} t where ${condition} group by 1`,
      parameters,
    );
    const rows = new Map(counted.rows.map((row) => [Number(row.bucket), Number(row.rows)]));
    const count = Math.ceil((last - first + 1) / width);
    return Array.from({ length: count }, (_, bucket) => ({
      start: first + bucket * width,
      end: first + (bucket + 1) * width - 1,
      rows: rows.get(bucket) ?? 0,
    }));
  });
  const boundaries = [...buckets.map((bucket) => bucket.start), (buckets.at(-1)?.end ?? 0) + 1];
  const documents = await countPerIdBucket(context.search, index, boundaries);
  return buckets.map((bucket, place) => ({ ...bucket, documents: documents[place] ?? 0 }));
}

async function checkTables(context: RunContext): Promise<Check[]> {
  if (context.run.parameters.skipCopyData) return [];
  return context.withApi(async (session) => {
    const checks: Check[] = [];
    const plans = await planTables(session, context);
    for (const [index, mapping] of tablesOf(context.definition.media).entries()) {
      const plan = plans[index];
      if (plan === undefined) continue;
      const additions = Object.keys(mapping.addedColumns);
      const differences = await diffTables(session, liveNameOf(mapping), plan.temp, additions);
      checks.push(checkSame(`${mapping.downstream} is shaped as the live table`, differences));
    }
    const orphans = await countOrphans(session, plans);
    const rows = orphans.reduce((sum, orphan) => sum + orphan.rows, 0);
    const detail = orphans
      .filter((orphan) => orphan.rows > 0)
      .map((orphan) => `${orphan.table.name}: ${orphan.rows}`)
      .join(', ');
    checks.push(checkOrphans(rows, context.definition.environment.gate, detail === '' ? null : detail));
    return checks;
  });
}

async function checkIndexes(context: RunContext): Promise<Check[]> {
  const names = indexNamesOf(context);
  return [await checkIndex(context, names.main), await checkIndex(context, names.filtered)];
}

async function checkIndex({ definition, search }: RunContext, name: string): Promise<Check> {
  const connection = definition.environment.search;
  const nodes = (await describeCluster(search)).dataNodes;
  const differences = await differencesFromDefinition(search, name, definition.media.index, {
    shards: definition.settings.shards,
    replicas: connection.replicas ?? (nodes > 1 ? 1 : 0),
    refreshInterval: connection.refreshInterval,
  });
  return checkSame(`settings and mapping of ${name}`, differences);
}

async function checkRows(context: RunContext): Promise<Check[]> {
  const { rows, differences } = await compareSample(
    context,
    indexedTableOf(context),
    indexNamesOf(context).main,
  );
  const { rejected } = await sumSlices(context.state, context.run.id);
  return [checkSample(rows, differences, rejected)];
}
