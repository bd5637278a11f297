import { rowsPerSlice, slicesMax } from '../../limits.js';
import { sliceCount, splitBlocks, splitIdRanges } from '../../indexing/ranges.js';
import { localFleet } from '../../fleet/localFleet.js';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.js';
import { refreshIndex } from '../../search/counts.js';
import { removeWriteAlias } from '../../search/index.js';
import {
  planSlices,
  releaseAllSlices,
  sumSlices,
  type SliceRange,
  type SliceTotals,
} from '../../state/slices.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { indexedTableOf } from '../tables.js';
import { indexSlices } from '../workerPool.js';

/**
 * Turns the table's rows into documents on the workers: many disjoint slices that cover it exactly, from a pool. Workers write through an
 * alias of the run's own, which is removed at the end: a late request of a worker that was thought dead then fails.
 */
export const reindex: Step<SliceTotals> = async (context, report) => {
  const { state, run, definition, environment } = context;
  const names = indexNamesOf(context);
  const table = indexedTableOf(context);
  const planned = await planRanges(context);
  await planSlices(state, run.id, planned.ranges);
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
    workers: Math.max(1, Math.min(definition.environment.workers, planned.ranges.length)),
    model: run.media,
    rejectsMax: definition.environment.gate.rejectsMax,
    task: {
      model_name: run.media,
      table_name: `${table.schema}.${table.name}`,
      target_index: names.writeAlias,
      require_alias: true,
      run_id: run.id,
    },
    onProgress: (rowsRead) => report({ done: rowsRead, total: planned.rows, unit: 'rows' }),
    event: (level, kind, message) => context.event(level, kind, message),
  });
  await removeWriteAlias(context.search, names.main, names.writeAlias);
  await refreshIndex(context.search, names.main);
  return sumSlices(state, run.id);
};

interface PlannedRanges {
  readonly rows: number;
  readonly ranges: readonly SliceRange[];
}

/** Ranges of blocks for a temp table, which nobody writes to; ranges of ids for a live table, whose writers move rows between blocks. */
async function planRanges(context: RunContext): Promise<PlannedRanges> {
  const { definition, run } = context;
  const table = quoteQualified(indexedTableOf(context));
  const id = quoteIdentifier(definition.media.main.idColumn);
  const { rows: found } = await context.withApi((session) =>
    session.query<{ rows: string; blocks: string; first: string | null; last: string | null }>(
      `select count(*) as rows, pg_relation_size($1::regclass) / current_setting('block_size')::bigint as blocks,
         min(${id})::text as first, max(${id})::text as last from ${table}`,
      [table],
    ),
  );
  const size = found[0];
  if (size === undefined || size.first === null || size.last === null) return { rows: 0, ranges: [] };
  const rows = Number(size.rows);
  const blocks = Number(size.blocks);
  const { workers } = definition.environment;
  const slices = sliceCount({ rows, blocks, workers, rowsPerSlice, slicesMax });
  const ranges: SliceRange[] = run.parameters.skipCopyData
    ? splitIdRanges(BigInt(size.first), BigInt(size.last), slices).map((range) => ({
        kind: 'ids',
        start: Number(range.startId),
        end: Number(range.endId),
      }))
    : splitBlocks(blocks, slices).map((range) => ({
        kind: 'blocks',
        start: range.startBlock,
        end: range.endBlock,
      }));
  return { rows, ranges };
}
