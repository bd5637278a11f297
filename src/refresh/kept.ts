import { listParts } from '../postgres/marks.js';
import { readSwap } from '../postgres/swap.js';
import { readIndex } from '../search/index.js';
import { listPhases, resetPhases } from '../state/phases.js';
import { forgetIndexed } from '../state/slices.js';
import type { RunContext } from './context.js';
import { indexNamesOf } from './indexNames.js';
import type { PhaseName } from './phases.js';

/**
 * Another attempt goes on with what earlier ones left, unless it is gone (swept, dropped by hand): then it is made anew, and everything that was
 * made of it.
 */
export async function checkKept(context: RunContext): Promise<void> {
  const { run } = context;
  if (run.attempt === 1) return;
  const from = await findLost(context);
  if (from === null) return;
  const client = await context.state.pool.connect();
  try {
    await client.query('begin');
    await resetPhases(client, run.id, { always: [], from });
    await forgetIndexed(client, run.id, from);
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

/** The first phase whose result is gone; null where everything is there, or live already. */
async function findLost(context: RunContext): Promise<PhaseName | null> {
  const { state, run, search } = context;
  const phases = await listPhases(state, run.id);
  const isDone = (name: PhaseName): boolean =>
    phases.some((phase) => phase.name === name && phase.state === 'done');
  // Once the tables are swapped there is no temp table any more, and nothing to make anew.
  if ((await context.withApi((session) => readSwap(session, run.id))) !== null) return null;
  const copies = run.flow === 'refresh' && !run.parameters.skipCopyData;
  if (copies && isDone('copy') && !(await hasTables(context))) return 'copy';
  if (!isDone('create-indexes')) return null;
  const names = indexNamesOf(context);
  const wanted = run.flow === 'refresh' ? [names.main, names.filtered] : [names.filtered];
  for (const name of wanted) {
    if ((await readIndex(search, name))?.mark?.runId !== run.id) return 'create-indexes';
  }
  return null;
}

async function hasTables(context: RunContext): Promise<boolean> {
  const { additional } = context.definition.media;
  const parts = await context.withApi((session) => listParts(session, context.run.media));
  const own = parts.filter((part) => part.role === 'candidate' && part.runId === context.run.id);
  return own.length === 1 + additional.length;
}
