import { FreshetError } from '../errors.js';
import { backendEndTimeoutMs } from '../limits.js';
import { quoteQualified } from './identifiers.js';
import { runSessionName } from './sessionNames.js';
import type { Session, SessionOptions } from './session.js';
import type { PlannedIndex, TempTablePlan } from './tempTablePlan.js';

/** Options of a session that builds on the temp tables of `runId`. */
export function buildSessionOf(runId: string): SessionOptions {
  return { applicationName: runSessionName('freshet indexes', runId), called: 'API database' };
}

/**
 * Ends what another process of this run still has open: a build goes on for hours after its client was killed, since a backend notices that
 * only when it answers. It leaves nothing, each statement is a transaction of its own. Throws TABLE_BUSY where one does not end.
 */
export async function endOlderBuilds(session: Session, plan: TempTablePlan): Promise<void> {
  const own = buildSessionOf(plan.runId).applicationName;
  const { rows } = await session.query<{ pid: number; ended: boolean }>(
    `select pid, pg_terminate_backend(pid, $3) as ended from pg_stat_activity
      where starts_with(application_name, $1) and application_name <> $2 and datname = current_database()`,
    [own.slice(0, own.lastIndexOf(' ') + 1), own, backendEndTimeoutMs],
  );
  const left = rows.filter(({ ended }) => !ended).map(({ pid }) => `pid ${pid}`);
  if (left.length === 0) return;
  const relation = `${plan.temp.schema}.${plan.temp.name}`;
  throw new FreshetError(
    'TABLE_BUSY',
    `Sessions of an older attempt of run ${plan.runId} that build on ${relation} do not end: ${left.join(', ')}.`,
    { relation, blockers: left },
  );
}

/** Waits until no other process works on this temp table; held until the session ends. */
export async function lockTempTable(session: Session, plan: TempTablePlan): Promise<void> {
  const key = `freshet temp table ${quoteQualified(plan.temp)}`;
  await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [key]);
}

/**
 * Runs `build` while no other session builds this index. The lock belongs to the session that builds, so it is held as long as the backend
 * works, whatever became of its client.
 */
export async function withIndexLock(
  session: Session,
  plan: TempTablePlan,
  index: PlannedIndex,
  build: () => Promise<void>,
): Promise<void> {
  const key = `freshet index ${quoteQualified(plan.temp)} ${index.tempName}`;
  await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [key]);
  try {
    await build();
  } finally {
    // Where the session is broken the lock went with it, and the error of `build` is the one to tell.
    await session
      .query('select pg_advisory_unlock(hashtextextended($1, 0))', [key])
      .catch((error: unknown) => error);
  }
}
