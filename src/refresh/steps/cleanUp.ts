import type { QueryResultRow } from 'pg';
import { dropPrevious } from '../../postgres/generations.js';
import { failpoint } from '../../failpoints.js';
import { deleteIndex, listMarkedIndexes } from '../../search/index.js';
import { listGenerations, recordGone, type Generation } from '../../state/generations.js';
import { isRunOver } from '../../state/runs.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';

export interface CleanedUp {
  readonly tables: readonly string[];
  readonly indexes: readonly string[];
}

/** After a promotion: what was live is kept as the previous generation, the one before it goes, and so does what runs that are over left. */
export const cleanUp: Step<CleanedUp> = (context) => removeUnused(context, { keepPrevious: true });

/** Before a run: what runs that are over left goes; the previous generation too, where the configuration wants its room for the run. */
export const sweepLeftovers: Step<CleanedUp> = (context) =>
  removeUnused(context, {
    keepPrevious: context.definition.environment.keepPreviousUntil === 'next promotion',
  });

/** Removes tables and indexes of this media type that no kept generation uses: only marked ones, only of runs that this state knows as over. */
async function removeUnused(
  context: RunContext,
  { keepPrevious }: { keepPrevious: boolean },
): Promise<CleanedUp> {
  const { state, run } = context;
  const generations = await listGenerations(state, run.environment, run.media);
  const kept = keptGenerations(generations, run.id, keepPrevious);
  const tables = await dropPrevious(context.environment.apiUrl, {
    media: run.media,
    keepOids: await keptTables(context, kept, keepPrevious),
    isRunOver: (id) => context.isOver(id),
  });
  failpoint('clean-up.tables');
  const indexes = await deleteUnusedIndexes(context, kept);
  failpoint('clean-up.indexes');
  await forgetApplied(context, kept);
  const gone = generations.filter((generation) => generation.state !== 'gone' && !kept.includes(generation));
  await recordGone(state, await onlyOver(context, gone));
  const names = tables.map((table) => `${table.name.schema}.${table.name.name}`);
  return { tables: names, indexes };
}

/** Live, previous (newest first: the one before it is no longer kept), and what this run builds. */
function keptGenerations(
  generations: readonly Generation[],
  runId: string,
  keepPrevious: boolean,
): Generation[] {
  const previous = generations.find((generation) => generation.state === 'previous');
  return generations.filter(
    (generation) =>
      generation.state === 'live' || generation.runId === runId || (keepPrevious && generation === previous),
  );
}

/**
 * Tables of the kept generations; with the previous one, what only the newest swap knows: the rows that it put aside because their records
 * vanished, and what was live before the first refresh, which is no generation of ours.
 */
async function keptTables(
  context: RunContext,
  kept: readonly Generation[],
  keepPrevious: boolean,
): Promise<number[]> {
  const oids = kept.flatMap((generation) => Object.values(generation.tables));
  if (!keepPrevious) return oids;
  const knowsPrevious = kept.some((generation) => generation.state === 'previous');
  const rows = await query<{ previous: string[]; orphans: string[] }>(
    context,
    `select jsonb_path_query_array(record, '$.tables[*].previousOid') as previous,
       jsonb_path_query_array(record, '$.orphans[*].keptOid') as orphans
     from freshet.swaps where media = $1 order by swapped_at desc limit 1`,
    [context.run.media],
  );
  const { previous = [], orphans = [] } = rows[0] ?? {};
  return [...oids, ...orphans.map(Number), ...(knowsPrevious ? [] : previous.map(Number))];
}

async function deleteUnusedIndexes(context: RunContext, kept: readonly Generation[]): Promise<string[]> {
  const { search, run, definition } = context;
  const used = new Set(kept.flatMap((generation) => [generation.mainIndex, generation.filteredIndex]));
  const marked = await listMarkedIndexes(search, `${definition.media.index.alias}-`);
  const deleted: string[] = [];
  for (const [name, { mark, aliases }] of marked) {
    const served = Object.keys(aliases).some(
      (alias) => alias === definition.media.index.alias || alias === definition.media.index.filteredAlias,
    );
    if (used.has(name) || served || mark === null || mark.media !== run.media) continue;
    if (mark.runId !== run.id && !(await context.isOver(mark.runId))) continue;
    if ((await deleteIndex(search, name)).deleted) deleted.push(name);
  }
  return deleted;
}

/** Which deletions and marks a generation took into account is needed as long as the generation is kept. */
async function forgetApplied(context: RunContext, kept: readonly Generation[]): Promise<void> {
  const needed = [...kept.map((generation) => generation.runId), context.run.id];
  const rows = await query<{ run_id: string }>(
    context,
    'select distinct run_id from freshet.applied where run_id <> all ($1::text[])',
    [needed],
  );
  for (const { run_id: runId } of rows) {
    if (await context.isOver(runId))
      await query(context, 'delete from freshet.applied where run_id = $1', [runId]);
  }
}

async function onlyOver(context: RunContext, generations: readonly Generation[]): Promise<string[]> {
  const over: string[] = [];
  for (const { id, runId } of generations) if (await isRunOver(context.state, runId)) over.push(id);
  return over;
}

async function query<Row extends QueryResultRow>(
  context: RunContext,
  sql: string,
  parameters: unknown[],
): Promise<Row[]> {
  const { rows } = await context.withApi((session) => session.query<Row>(sql, parameters));
  return rows;
}
