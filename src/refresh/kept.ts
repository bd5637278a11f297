import { FreshetError } from '../errors.js';
import { diffTables } from '../postgres/finishTempTable.js';
import { listParts } from '../postgres/marks.js';
import { readIndex } from '../search/index.js';
import { listGenerations } from '../state/generations.js';
import { listPhases } from '../state/phases.js';
import type { RunContext } from './context.js';
import { indexNamesOf } from './indexNames.js';
import type { PhaseName } from './phases.js';
import { redoFrom } from './redo.js';
import { readLiveOids } from './steps/createIndexes.js';
import { planTables, tablesOf } from './tables.js';

/**
 * Another attempt goes on with what earlier ones left, unless it is gone (swept, dropped by hand): then it is made anew, and everything that was
 * made of it. Not so the candidate of a held run, which somebody has looked at: CANDIDATE_LOST. Finished tables that are not what the live
 * ones are by now could only be refused later: SHAPE_DIFFERS.
 */
export async function checkKept(context: RunContext): Promise<void> {
  const { run } = context;
  if (run.attempt === 1) return;
  await assertTablesLive(context);
  const from = await findLost(context);
  if (from === null) return assertShapesKept(context);
  if (run.parameters.released === true) {
    throw new FreshetError(
      'CANDIDATE_LOST',
      `What run ${run.id} held is gone: ${from} would have to be done again.`,
    );
  }
  const client = await context.state.pool.connect();
  try {
    await client.query('begin');
    await redoFrom(client, run.id, from);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
  await context.event(
    'warning',
    'run.lost',
    `what earlier attempts made is gone; done again from ${from} on`,
  );
}

/** What does not copy was made of the tables that were live then: a rollback may have put others in their place while it was held. */
async function assertTablesLive(context: RunContext): Promise<void> {
  const { run, state } = context;
  if (!run.parameters.skipCopyData) return;
  const generations = await listGenerations(state, run.environment, run.media);
  const made = generations.find(({ runId }) => runId === run.id)?.tables ?? {};
  const live = await readLiveOids(context);
  if (Object.entries(made).every(([name, oid]) => live[name] === oid)) return;
  throw new FreshetError(
    'CANDIDATE_LOST',
    `What run ${run.id} made is of tables that are not live any more.`,
  );
}

/** The first phase whose result is gone; null where everything is there. */
async function findLost(context: RunContext): Promise<PhaseName | null> {
  const { state, run } = context;
  const phases = await listPhases(state, run.id);
  const isDone = (name: PhaseName): boolean =>
    phases.some((phase) => phase.name === name && phase.state === 'done');
  const copies = run.flow === 'refresh' && !run.parameters.skipCopyData;
  if (copies && isDone('copy') && !(await hasTables(context))) return 'copy';
  if (!isDone('create-indexes')) return null;
  const names = indexNamesOf(context);
  if (run.flow === 'refresh' && !(await hasIndex(context, names.main))) return 'create-indexes';
  // The main index is kept: the filtered one is made of it.
  return (await hasIndex(context, names.filtered)) ? null : 'filtered-index';
}

async function hasIndex({ search, run }: RunContext, name: string): Promise<boolean> {
  return (await readIndex(search, name))?.mark?.runId === run.id;
}

async function assertShapesKept(context: RunContext): Promise<void> {
  const { run, state, definition } = context;
  if (run.flow !== 'refresh' || run.parameters.skipCopyData) return;
  const phases = await listPhases(state, run.id);
  if (!phases.some((phase) => phase.name === 'constraints' && phase.state === 'done')) return;
  const differences = await context.withApi(async (session) => {
    const plans = await planTables(session, context);
    const found: string[] = [];
    for (const [index, mapping] of tablesOf(definition.media).entries()) {
      const plan = plans[index];
      if (plan === undefined) continue;
      found.push(...(await diffTables(session, plan.live, plan.temp, Object.keys(mapping.addedColumns))));
    }
    return found;
  });
  if (differences.length === 0) return;
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `The live tables of ${run.media} have changed since run ${run.id} copied for them: ${differences.join('; ')}.`,
  );
}

async function hasTables(context: RunContext): Promise<boolean> {
  const { additional } = context.definition.media;
  const parts = await context.withApi((session) => listParts(session, context.run.media));
  const own = parts.filter((part) => part.role === 'candidate' && part.runId === context.run.id);
  return own.length === 1 + additional.length;
}
