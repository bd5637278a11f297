import type { Pool } from 'pg';
import { openSession, type Session } from '../postgres/session.js';

/**
 * One active orchestrator per state database: whoever holds this session-level advisory lock, on a connection of its own. It is taken before
 * the engine is launched, always: two live processes with one executor id run the same step twice (seen in experiments).
 */
export interface OrchestratorLock {
  release(): Promise<void>;
}

const lockKey = `hashtextextended('freshet orchestrator', 0)`;

/** A lost machine must not hold the lock for the two hours of the kernel's default: the server notices within a minute. */
const serverKeepalives =
  'set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3';

/**
 * Tries to become the orchestrator of this state database.
 * @param onLost called once when the connection that holds the lock breaks; the caller must stop working at once.
 * @returns null when another process is the orchestrator.
 */
export async function tryOrchestratorLock(
  stateUrl: string,
  onLost: () => void,
): Promise<OrchestratorLock | null> {
  const session = await openSession(stateUrl, {
    applicationName: `freshet orchestrator ${process.pid}`,
    called: 'state database',
  });
  try {
    await session.query(serverKeepalives);
    const { rows } = await session.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${lockKey}) as locked`,
    );
    if (rows[0]?.locked !== true) {
      await session.end();
      return null;
    }
  } catch (error) {
    await session.end().catch(() => undefined);
    throw error;
  }
  return holdLock(session, onLost);
}

function holdLock(session: Session, onLost: () => void): OrchestratorLock {
  let released = false;
  session.on('end', () => {
    if (!released) onLost();
  });
  return {
    release: async () => {
      released = true;
      await session.end().catch(() => undefined);
    },
  };
}

/** The process that is the orchestrator now, as its session names it (`freshet orchestrator <pid>`), or null. */
export async function findOrchestrator(session: Pick<Pool, 'query'>): Promise<string | null> {
  const { rows } = await session.query<{ name: string }>(
    `select a.application_name as name from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and l.objsubid = 1
       and l.database = (select oid from pg_database where datname = current_database())
       and (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey}`,
  );
  return rows[0]?.name ?? null;
}
