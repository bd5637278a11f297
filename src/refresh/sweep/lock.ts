import { withSession, withTransaction } from '../../postgres/session.js';
import { processToken } from '../../postgres/sessionNames.js';
import { lockSweep } from '../../state/runs.js';

/** Throws when the lock may be somebody else's by now. */
export type AssertLocked = () => Promise<void>;

/**
 * Runs `work` while no other sweep and no further attempt of a run can begin in the environment. The lock has a connection of its own: the pool's
 * may all be in use by sweeps that wait for one more. Where that connection is lost (a successor of a frozen orchestrator ends it), nothing
 * more is removed: `AssertLocked` is called before each removal.
 */
export async function withSweepLock<T>(
  stateUrl: string,
  environment: string,
  work: (assertLocked: AssertLocked) => Promise<T>,
): Promise<T> {
  const options = { applicationName: `freshet sweep ${processToken}`, called: 'state database' };
  return withSession(stateUrl, options, (session) =>
    withTransaction(session, async () => {
      await lockSweep(session, environment);
      return work(async () => {
        await session.query('select 1');
      });
    }),
  );
}
