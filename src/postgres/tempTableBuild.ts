import { FreshetError } from '../errors.js';
import { quoteLiteral, quoteQualified } from './identifiers.js';
import { readPart } from './marks.js';
import { withSession, type Session } from './session.js';
import { findRelation } from './tempTable.js';
import type { TempTablePlan } from './tempTablePlan.js';

export const buildSession = { applicationName: 'freshet indexes', called: 'API database' } as const;

/** The oid of the plan's temp table; SHAPE_DIFFERS where it is gone or another run's. */
export async function findTempTable(session: Session, plan: TempTablePlan): Promise<number> {
  const oid = await findRelation(session, plan.temp);
  const part = oid === null ? null : await readPart(session, oid);
  if (oid !== null && part?.runId === plan.runId) return oid;
  throw new FreshetError(
    'SHAPE_DIFFERS',
    `The temp table ${plan.temp.schema}.${plan.temp.name} of run ${plan.runId} is not there.`,
  );
}

/**
 * Runs `work` while no other process works on this temp table. A backend of a dead orchestrator keeps the lock while it finishes its
 * statement; the successor then finds what it built.
 */
export async function withTempTable(
  url: string,
  plan: TempTablePlan,
  work: (session: Session, oid: number) => Promise<void>,
): Promise<void> {
  await withSession(url, buildSession, async (session) => {
    const key = quoteLiteral(`freshet temp table ${quoteQualified(plan.temp)}`);
    await session.query(`select pg_advisory_lock(hashtextextended(${key}, 0))`);
    await work(session, await findTempTable(session, plan));
  });
}
