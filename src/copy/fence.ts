import { createHash } from 'node:crypto';
import { FreshetError } from '../errors.js';
import { backendEndTimeoutMs, copyLockTimeoutMs, identifierBytesMax } from '../limits.js';
import { openSession, withSession, type Session } from '../postgres/session.js';
import type { DatabaseName } from './failures.js';

/** What the sessions of a run's copy are called in pg_stat_activity. Postgres cuts a longer name off, which could name another run's. */
export function copyApplicationName(runId: string): string {
  const name = `freshet copy ${runId}`;
  if (Buffer.byteLength(name) <= identifierBytesMax) return name;
  return `freshet copy ${createHash('sha256').update(runId).digest('hex').slice(0, 40)}`;
}

/**
 * Ends what an older attempt of this run still has open in a database: a process that was taken for dead must not go on beside its successor
 * (rule: the successor ends the old backends). They leave nothing: the copy is one transaction.
 */
export async function endOlderAttempts(url: string, database: DatabaseName, runId: string): Promise<void> {
  const fence = { applicationName: 'freshet copy fence', called: database };
  await withSession(url, fence, async (session) => {
    const { rows } = await session.query<{ pid: number; ended: boolean }>(
      `select pid, pg_terminate_backend(pid, $2) as ended from pg_stat_activity
        where application_name = $1 and datname = current_database() and pid <> pg_backend_pid()`,
      [copyApplicationName(runId), backendEndTimeoutMs],
    );
    const left = rows.filter((row) => !row.ended).map((row) => String(row.pid));
    if (left.length === 0) return;
    throw new FreshetError(
      'COPY_LOCKED',
      `Sessions of an older attempt of run ${runId} do not end in the ${database}: process ${left.join(', ')}.`,
      { table: `the ${database}`, pids: left },
    );
  });
}

/** Opens a session of this run's copy. */
export function openCopySession(url: string, database: DatabaseName, runId: string): Promise<Session> {
  return openSession(url, { applicationName: copyApplicationName(runId), called: database });
}

/**
 * Takes the advisory locks of the tables until the session ends: two copies into one table never run at once. In the order of their names, so
 * that two copies never wait for each other. Throws COPY_LOCKED.
 */
export async function lockTables(session: Session, tables: readonly string[]): Promise<void> {
  await session.query(`set lock_timeout = ${copyLockTimeoutMs}`);
  for (const name of [...tables].sort()) {
    try {
      await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [`freshet.copy ${name}`]);
    } catch (error) {
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      throw new FreshetError(
        'COPY_LOCKED',
        `Another copy into ${name} holds its lock in the API database.`,
        { table: name },
        { cause: error },
      );
    }
  }
  await session.query('set lock_timeout = 0');
}
