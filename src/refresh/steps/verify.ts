import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { diffTables } from '../../postgres/finishTempTable.js';
import { countOrphans } from '../../postgres/orphans.js';
import { countDocuments, refreshIndex } from '../../search/counts.js';
import { describeCluster } from '../../search/client.js';
import { differencesFromDefinition } from '../../search/index.js';
import { listRejectedIds, readCounts, recordChecks, type Check } from '../../state/records.js';
import { setRunState } from '../../state/runs.js';
import { sumSlices } from '../../state/slices.js';
import type { RunContext } from '../context.js';
import { countBuckets } from '../eligibleRows.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
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
import { countWritersDeletions, type WritersDeletions } from '../writersDeletions.js';
import { countSources } from './count.js';
import type { FilteredSummary } from './populateFiltered.js';

/** What earlier steps found and the gate compares with. What they left in the state it reads there. */
export interface GateInput {
  /** Rows of the main table when the slices were read. */
  readonly rows: number;
  readonly filtered: FilteredSummary;
}

/** The gate: compares, records every check, and refuses the run when one is not passed. Nothing that is live was changed then. */
export const verify =
  (input: GateInput): Step<{ checks: readonly Check[] }> =>
  async (context, report) => {
    await setRunState(context.state, context.run.id, 'verifying');
    failpoint('verify.begun');
    const names = indexNamesOf(context);
    await refreshIndex(context.search, names.main);
    await refreshIndex(context.search, names.filtered);
    const checks: Check[] = [];
    const parts = [checkContents, checkTables, checkIndexes];
    for (const [index, part] of parts.entries()) {
      checks.push(...(await part(context, input)));
      report({ done: index + 1, total: parts.length, unit: 'groups of checks' });
    }
    await recordChecks(context.state, context.run.id, checks);
    failpoint('verify.checked');
    refuseUnlessPassed(checks);
    return { checks };
  };

/** The gate of the filtered-index flow. */
export const verifyFiltered =
  (input: Pick<GateInput, 'filtered'>): Step<{ checks: readonly Check[] }> =>
  async (context) => {
    await setRunState(context.state, context.run.id, 'verifying');
    failpoint('verify.begun');
    const names = indexNamesOf(context);
    await refreshIndex(context.search, names.filtered);
    const filtered = await countDocuments(context.search, names.filtered);
    const checks = [
      await checkAgainstLive(context, input.filtered.matched, filtered),
      checkNotEmpty(filtered, context.definition.environment.gate),
      await checkIndex(context, names.filtered),
    ];
    await recordChecks(context.state, context.run.id, checks);
    failpoint('verify.checked');
    refuseUnlessPassed(checks);
    return { checks };
  };

/**
 * The main index is live here: API writers delete from it, also documents with terms and documents that the filtered index still has. What
 * they deleted is counted behind the documents; a writer that had deleted a document and not yet recorded it is seen by the second look.
 */
async function checkAgainstLive(context: RunContext, matched: number, filtered: number): Promise<Check> {
  const look = async (): Promise<Check> => {
    const { main: index } = indexNamesOf(context);
    await refreshIndex(context.search, index);
    const main = await countDocuments(context.search, index);
    const { reconciled, fresh } = await countWritersDeletions(context);
    const tolerance = { fewerInMain: reconciled + fresh, fewerInFiltered: reconciled };
    return checkFiltered(main, filtered, matched, tolerance);
  };
  const first = await look();
  return first.passed ? first : look();
}

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

/**
 * Rows, documents and what became of them. The order matters where the table has writers: rows are sampled before they are counted, and the
 * writers' deletions are counted last, so that they explain all that was seen before.
 */
async function checkContents(context: RunContext, input: GateInput): Promise<Check[]> {
  const { gate } = context.definition.environment;
  const { main: index } = indexNamesOf(context);
  const rejectedIds = await listRejectedIds(context.state, context.run.id);
  const rejected = new Set(rejectedIds);
  const sampled = await compareSample(context, { table: indexedTableOf(context), index, rejected });
  const buckets = await countBuckets(context, index, rejectedIds);
  const eligible = sumOf(buckets, (bucket) => bucket.rows);
  const deletions = await countWritersDeletions(context);
  // A temp table has no writers.
  const { inTable, inIndex } = context.run.parameters.skipCopyData
    ? { inTable: deletions.reconciled + deletions.fresh, inIndex: deletions.fresh }
    : { inTable: 0, inIndex: 0 };
  const documents = await countDocuments(context.search, index);
  const missing = sumOf(buckets, (bucket) => bucket.missing);
  return [
    ...(await checkSliceTotals(context, input.rows, inTable)),
    checkDocuments(eligible, missing, documents, inIndex),
    await checkOwnFiltered(context, documents, input.filtered, deletions),
    checkNotEmpty(documents, gate),
    ...(await checkSources(context, index)),
    checkBuckets(buckets, inIndex),
    ...checkSample(sampled, Math.min(eligible, gate.sampleRows), rejected, inTable),
  ];
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

async function checkSliceTotals(context: RunContext, rows: number, writersDeleted: number): Promise<Check[]> {
  const totals = await sumSlices(context.state, context.run.id);
  const { gate } = context.definition.environment;
  return [...checkSlices(rows, totals, writersDeleted), checkRejects(totals.rejected, gate)];
}

/** Nobody but the run writes to its main index: only the documents that it deleted itself since the filtered index was filled are gone. */
async function checkOwnFiltered(
  context: RunContext,
  main: number,
  { matched }: FilteredSummary,
  { reconciled }: WritersDeletions,
): Promise<Check> {
  const filtered = await countDocuments(context.search, indexNamesOf(context).filtered);
  return checkFiltered(main, filtered, matched, { fewerInMain: reconciled, fewerInFiltered: 0 });
}

async function checkSources(context: RunContext, index: string): Promise<Check[]> {
  const before = await readCounts(context.state, context.run.id, 'before');
  return checkLosses(before, await countSources(context, index), context.definition.environment.gate);
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
