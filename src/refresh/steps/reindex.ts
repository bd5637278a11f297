import { failpoint } from '../../failpoints.js';
import { rowsPerSlice, slicesMax } from '../../limits.js';
import { sliceCount, splitBlocks, splitIdRanges } from '../../indexing/ranges.js';
import { localFleet } from '../../fleet/localFleet.js';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.js';
import { countDocuments, refreshIndex } from '../../search/counts.js';
import { removeWriteAlias } from '../../search/index.js';
import {
  listSlices,
  planSlices,
  releaseAllSlices,
  sumSlices,
  type SliceRange,
  type SliceTotals,
} from '../../state/slices.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { createMarked } from './createIndexes.js';
import { indexedTableOf } from '../tables.js';
import { indexSlices } from '../workerPool.js';

/**
 * Turns the table's rows into documents on the workers: many disjoint slices that cover it exactly, from a pool. Workers write through an
 * alias of the run's own, which is removed at the end: a late request of a worker that was thought dead then fails.
 */
export const reindex =
  (rows: number): Step<SliceTotals> =>
  async (context, report) => {
    const { state, run, definition, environment } = context;
    const names = indexNamesOf(context);
    const table = indexedTableOf(context);
    const ranges = await planRanges(context, rows);
    if ((await listSlices(state, run.id)).length === 0) await emptyIndex(context);
    await planSlices(state, run.id, ranges);
    failpoint('reindex.planned');
    await releaseAllSlices(state, run.id);
    await indexSlices({
      state,
      runId: run.id,
      fleet: localFleet({
        environment: environment.name,
        configFile: context.config.file,
        apiUrl: environment.apiUrl,
        searchUrls: environment.searchUrls,
        log: (workerId, line) => context.log(`worker ${workerId}: ${line}`),
      }),
      workers: Math.max(1, Math.min(definition.environment.workers, ranges.length)),
      model: run.media,
      rejectsMax: definition.environment.gate.rejectsMax,
      task: {
        model_name: run.media,
        table_name: `${table.schema}.${table.name}`,
        target_index: names.writeAlias,
        require_alias: true,
        run_id: run.id,
      },
      signal: context.cancelled,
      onProgress: (rowsRead) => report({ done: rowsRead, total: rows, unit: 'rows' }),
      event: (level, kind, message) => context.event(level, kind, message),
    });
    failpoint('reindex.indexed');
    await removeWriteAlias(context.search, names.main, names.writeAlias);
    failpoint('reindex.closed');
    await refreshIndex(context.search, names.main);
    return sumSlices(state, run.id);
  };

/** A retry from an earlier phase begins the reindex anew: documents of rows that are no more must not stay. */
async function emptyIndex(context: RunContext): Promise<void> {
  const { main } = indexNamesOf(context);
  await refreshIndex(context.search, main);
  const documents = await countDocuments(context.search, main);
  await createMarked(context, main, 'main', documents > 0 ? 'replace' : 'reuse');
}

/** Ranges of blocks for a temp table, which nobody writes to; ranges of ids for a live table, whose writers move rows between blocks. */
async function planRanges(context: RunContext, rows: number): Promise<SliceRange[]> {
  if (rows === 0) return [];
  const { workers } = context.definition.environment;
  const blocks = await countBlocks(context);
  const slices = sliceCount({ rows, blocks, workers, rowsPerSlice, slicesMax });
  if (context.run.parameters.skipCopyData) return planIdRanges(context, slices);
  return splitBlocks(blocks, slices).map((range) => ({
    kind: 'blocks',
    start: range.startBlock,
    end: range.endBlock,
  }));
}

async function countBlocks(context: RunContext): Promise<number> {
  const { rows } = await context.withApi((session) =>
    session.query<{ blocks: string }>(
      `select pg_relation_size($1::regclass) / current_setting('block_size')::bigint as blocks`,
      [quoteQualified(indexedTableOf(context))],
    ),
  );
  return Number(rows[0]?.blocks);
}

async function planIdRanges(context: RunContext, slices: number): Promise<SliceRange[]> {
  const id = quoteIdentifier(context.definition.media.main.idColumn);
  const { rows } = await context.withApi((session) =>
    session.query<{ first: string | null; last: string | null }>(
      `select min(${id})::text as first, max(${id})::text as last from ${quoteQualified(indexedTableOf(context))}`,
    ),
  );
  const { first, last } = rows[0] ?? { first: null, last: null };
  if (first === null || last === null) return [];
  return splitIdRanges(BigInt(first), BigInt(last), slices).map((range) => ({
    kind: 'ids',
    start: Number(range.startId),
    end: Number(range.endId),
  }));
}
