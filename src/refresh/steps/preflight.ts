import { checkCopy } from '../../copy/checkCopy.js';
import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { parseQualifiedName } from '../../postgres/identifiers.js';
import { ensureMarks } from '../../postgres/marks.js';
import { rehearseTempTables } from '../../postgres/rehearsal.js';
import { withSession, type Session } from '../../postgres/session.js';
import { assertCarryable, describeTable, type TableShape } from '../../postgres/tableShape.js';
import { assertAliasUsable, liveIndexOf } from '../../search/aliases.js';
import { describeCluster } from '../../search/client.js';
import { readIndex } from '../../search/index.js';
import { assertSuffix } from '../../search/names.js';
import { assertCandidateAliasesFree } from '../candidateAlias.js';
import { assertHooksUsable } from '../hooks.js';
import { indexNamesOf } from '../indexNames.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';
import { checkKept } from '../kept.js';
import { recoverMedia } from '../recover.js';
import { describeLiveTables, tablesOf } from '../tables.js';
import { readTerms } from '../terms.js';
import { copyOptionsOf } from './copyData.js';

/**
 * What would make the run fail later is found now, before anything is copied: servers that do not answer, aliases that are indexes, names
 * that are taken, hooks that are not there, tables and columns that are missing, features of tables that cannot be carried, a catalog without records, a list of terms
 * that cannot be read (needed only hours later). Nothing is changed before all of it was looked at.
 */
export const preflight: Step<{ engine: string; version: string }> = async (context) => {
  const { engine, version } = await describeCluster(context.search);
  // What is half live must become live, whatever the catalog is like by now.
  if (context.run.promotionBeganAt !== null) return { engine, version };
  await recoverMedia(context, context.leadership, context.definition);
  await checkKept(context);
  await checkIndexNames(context);
  if (context.run.parameters.hold === true) await assertCandidateAliasesFree(context);
  await assertHooksUsable(context);
  await checkOrigin(context);
  await readTerms(context);
  await context.withApi(async (session) => {
    const shapes = await describeLiveTables(session, context.definition.media);
    if (context.run.parameters.skipCopyData) await checkLists(session, context);
    else await checkTables(session, context, shapes);
    await ensureMarks(session);
  });
  failpoint('preflight.looked');
  return { engine, version };
};

/** The filtered index is built from what is live when its turn has come, which need not be what was live when it was asked for. */
async function checkOrigin({ definition, run, search, ...context }: RunContext): Promise<void> {
  if (run.flow !== 'filtered-index') return;
  const live = await liveIndexOf(search, definition.media.index.alias);
  const { main } = indexNamesOf({ definition, run, search, ...context });
  if (live === main) return;
  throw new FreshetError('ORIGIN_NOT_LIVE', `${main} is not the live index any more; ${live ?? 'none'} is.`, {
    live,
  });
}

/** The tables of a run that copies, on both sides. */
async function checkTables(
  session: Session,
  context: RunContext,
  shapes: readonly TableShape[],
): Promise<void> {
  const { environment, definition, run } = context;
  const options = { applicationName: `freshet run ${run.id}`.slice(0, 63), called: 'catalog' };
  await withSession(environment.catalogUrl, options, (catalog) =>
    checkCopy({ catalog, api: session }, copyOptionsOf(context)),
  );
  assertCarryable(shapes);
  const added = tablesOf(definition.media).map((mapping) => mapping.addedColumns);
  await rehearseTempTables(
    session,
    shapes.map((shape, index) => ({ shape, addedColumns: added[index] ?? {} })),
  );
}

/** A run that does not copy still reads which records are deleted or sensitive. */
async function checkLists(session: Session, { definition }: RunContext): Promise<void> {
  const { main, sensitiveMediaTable } = definition.media;
  for (const list of [main.deletedMediaTable, sensitiveMediaTable]) {
    if (list !== null) await describeTable(session, parseQualifiedName(list));
  }
}

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
    const aliases = Object.keys(found.aliases);
    const served = aliases.length === 0 ? '' : `, which is served as ${aliases.join(', ')}`;
    throw new FreshetError('INDEX_NAME_TAKEN', `There is an index ${name} already${served}.`, {
      index: name,
    });
  }
}
