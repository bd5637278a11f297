import { FreshetError } from '../errors.js';
import { planPreviousTables } from '../postgres/previousTables.js';
import type { Session } from '../postgres/session.js';
import { findRelation } from '../postgres/tempTable.js';
import type { TempTablePlan } from '../postgres/tempTablePlan.js';
import { listGenerations, type Generation } from '../state/generations.js';
import type { RunContext } from './context.js';
import { liveNameOf, tablesOf } from './tables.js';

/** What a rollback is about, as it was planned. */
export interface Rollback {
  /** What is live; it is previous afterwards. */
  readonly from: Generation;
  /** What was live before it. */
  readonly to: Generation;
}

export async function readRollback({ state, run }: RunContext): Promise<Rollback> {
  const generations = await listGenerations(state, run.environment, run.media);
  const find = (id: string | undefined): Generation | undefined => generations.find((one) => one.id === id);
  const { from, to } = run.parameters.rollback ?? {};
  const found = { from: find(from), to: find(to) };
  if (found.from !== undefined && found.to !== undefined) return { from: found.from, to: found.to };
  throw new Error(`run ${run.id} does not say which generations it is about`);
}

/** How the tables swap; none where both generations have the same ones. */
export async function planBack(
  session: Session,
  { definition, run }: RunContext,
  { from, to }: Rollback,
): Promise<TempTablePlan[]> {
  const tables = tablesOf(definition.media).map((mapping) => {
    const live = liveNameOf(mapping);
    const declaredAdditions = Object.keys(mapping.addedColumns);
    return { live, previousOid: to.tables[live.name] ?? 0, declaredAdditions };
  });
  for (const { live } of tables) {
    const oid = await findRelation(session, live);
    if (oid === from.tables[live.name]) continue;
    const name = `${live.schema}.${live.name}`;
    throw new FreshetError(
      'PREVIOUS_DIFFERS',
      `${name} is another table (oid ${oid}) than the one that run ${from.runId} made live: what was written to it would be lost.`,
      { table: name },
    );
  }
  return run.parameters.skipCopyData ? [] : planPreviousTables(session, run.id, tables);
}
