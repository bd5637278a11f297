import { FreshetError } from '../errors.js';
import { backendEndTimeoutMs, connectTimeoutMs } from '../limits.js';
import { digestOf } from './names.js';
import { withSession, type SessionOptions } from './session.js';
import { processToken } from './sessionNames.js';

export interface RunDatabase {
  readonly url: string;
  /** `catalog`, `API database`. */
  readonly called: string;
}

/**
 * Ends the run's sessions in a database: those that other processes opened (`others`), or all of them. They leave nothing: what was not
 * committed is undone. Throws TABLE_BUSY where one does not end.
 */
export async function endRunSessions(
  { url, called }: RunDatabase,
  runId: string,
  whose: 'others' | 'all',
): Promise<number> {
  const limitMs = connectTimeoutMs + backendEndTimeoutMs;
  const fence: SessionOptions = { applicationName: 'freshet fence', called, limitMs };
  return withSession(url, fence, async (session) => {
    const { rows } = await session.query<{ pid: number; ended: boolean }>(
      `select pid, pg_terminate_backend(pid, $4) as ended from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and (application_name ~ ('^freshet \\w+ (' || $1 || '|' || $2 || ')( |$)'))
         and ($5 or application_name not like '% ' || $3)`,
      [runId, digestOf(runId), processToken, backendEndTimeoutMs, whose === 'all'],
    );
    const left = rows.filter(({ ended }) => !ended).map(({ pid }) => `pid ${pid}`);
    if (left.length > 0) {
      throw new FreshetError(
        'TABLE_BUSY',
        `Sessions of run ${runId} do not end in the ${called}: ${left.join(', ')}.`,
        { relation: `the ${called}`, blockers: left },
      );
    }
    return rows.length;
  });
}
