import { FreshetError } from '../errors.js';
import { buildSessionOf, endOlderBuilds, lockTempTable } from './buildSessions.js';
import { readPart } from './marks.js';
import { withSession, type Session } from './session.js';
import { findRelation } from './tempTable.js';
import type { TempTablePlan } from './tempTablePlan.js';

/** The oid of the plan's temp table, or previous table; SHAPE_DIFFERS where it is gone or another run's. */
export async function findTempTable(session: Session, plan: TempTablePlan): Promise<number> {
  const oid = await findRelation(session, plan.temp);
  const part = oid === null ? null : await readPart(session, oid);
  const isWanted =
    plan.previous === undefined
      ? part?.runId === plan.runId
      : oid === plan.previous.oid && part?.role === 'previous';
  if (oid !== null && isWanted) return oid;
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `The table ${plan.temp.schema}.${plan.temp.name} that run ${plan.runId} is to make live is not there.`,
  );
}

/**
 * Runs `work` while no other process works on this temp table. What an older process of this run left working is ended first; the rest, such
 * as the same step beside itself, is waited for.
 */
export async function withTempTable(
  url: string,
  plan: TempTablePlan,
  work: (session: Session, oid: number) => Promise<void>,
): Promise<void> {
  await withSession(url, buildSessionOf(plan.runId), async (session) => {
    await endOlderBuilds(session, plan);
    await lockTempTable(session, plan);
    await work(session, await findTempTable(session, plan));
  });
}
