import { FreshetError } from '../../errors.js';
import { ensureMarks } from '../../postgres/marks.js';
import { rehearseTempTables } from '../../postgres/rehearsal.js';
import { assertCarryable } from '../../postgres/tableShape.js';
import { assertAliasUsable } from '../../search/aliases.js';
import { describeCluster } from '../../search/client.js';
import { readIndex } from '../../search/index.js';
import { assertSuffix } from '../../search/names.js';
import { indexNamesOf } from '../indexNames.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';
import { describeLiveTables, tablesOf } from '../tables.js';

/**
 * What would make the run fail later is found now, before anything is copied: features of tables that cannot be carried, aliases that are
 * indexes, names that are taken.
 */
export const preflight: Step<{ engine: string; version: string }> = async (context) => {
  const { engine, version } = await describeCluster(context.search);
  await checkIndexNames(context);
  await context.withApi(async (session) => {
    const shapes = await describeLiveTables(session, context.definition.media);
    if (!context.run.parameters.skipCopyData) {
      assertCarryable(shapes);
      const added = tablesOf(context.definition.media).map((mapping) => mapping.addedColumns);
      await rehearseTempTables(
        session,
        shapes.map((shape, index) => ({ shape, addedColumns: added[index] ?? {} })),
      );
    }
    await ensureMarks(session);
  });
  return { engine, version };
};

async function checkIndexNames(context: RunContext): Promise<void> {
  const { alias, filteredAlias } = context.definition.media.index;
  const { indexSuffix, destinationSuffix } = context.run.parameters;
  assertSuffix(destinationSuffix ?? indexSuffix, [alias]);
  await assertAliasUsable(context.search, alias);
  await assertAliasUsable(context.search, filteredAlias);
  const names = indexNamesOf(context);
  const created = context.run.flow === 'refresh' ? [names.main, names.filtered] : [names.filtered];
  for (const name of created) {
    const found = await readIndex(context.search, name);
    if (found === null || found.mark?.runId === context.run.id) continue;
    throw new FreshetError('INDEX_NAME_TAKEN', `There is an index ${name} already.`, { index: name });
  }
}
