import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import { FreshetError, messageOf } from '../errors.js';
import {
  backendEndTimeoutMs,
  heartbeatEveryMs,
  heartbeatStaleMs,
  leadershipCheckMs,
  leadershipLostMs,
} from '../limits.js';
import { openSession, type Session } from '../postgres/session.js';

/**
 * One active orchestrator per state database: whoever holds this session-level advisory lock, on a connection of its own. It is taken before
 * the engine is launched, always: two live processes with one executor id run the same step twice (seen in experiments).
 *
 * How it passes on:
 * - a process that ends: the server drops its lock at once;
 * - a lost machine: the server's keepalives (50 s), and before that the heartbeat;
 * - a frozen process keeps its connection and lock for ever (seen): it writes a heartbeat, and whoever finds that `heartbeatStaleMs` old twice
 *   ends its backend. When it thaws it finds its connection closed and ends; it asks before every write to the search cluster, which no
 *   database can fence (`assertHeld`).
 */
export interface Leadership {
  /** Names this time of being the orchestrator: written where an older one must be told apart. */
  readonly token: string;
  /** Throws LEADERSHIP_LOST unless the server says this moment that this process is the orchestrator. */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

const lockKey = `hashtextextended('freshet orchestrator', 0)`;

/** A lost machine must not hold the lock for the two hours of the kernel's default: the server notices within a minute. */
const serverKeepalives =
  'set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3';

/** Tries again and again to become the orchestrator: remembers what it saw, because a heartbeat has to be stale on two looks. */
export class Candidacy {
  private staleBackend: number | null = null;

  /** @param onLost called once when this process, having been the orchestrator, may not be it any more; it must end at once. */
  constructor(
    private readonly stateUrl: string,
    private readonly onLost: () => void,
  ) {}

  /** @returns null while another process is the orchestrator. */
  async tryOnce(): Promise<Leadership | null> {
    const session = await openSession(this.stateUrl, {
      applicationName: `freshet orchestrator ${process.pid}`,
      called: 'state database',
    });
    try {
      await session.query(serverKeepalives);
      if (!(await tryLock(session)) && !((await this.endFrozen(session)) && (await tryLock(session)))) {
        await session.end();
        return null;
      }
      return await hold(session, this.onLost);
    } catch (error) {
      await session.end().catch(() => undefined);
      throw error;
    }
  }

  /** Ends the backend of an orchestrator whose heartbeat is old, seen twice: a state database that stood still makes it old for a moment. */
  private async endFrozen(session: Session): Promise<boolean> {
    const { rows } = await session.query<{ pid: number; stale: boolean }>(
      `select o.backend_pid as pid, clock_timestamp() - o.heartbeat_at > make_interval(secs => $1) as stale
       from freshet.orchestrator o join ${holders} h on h.pid = o.backend_pid`,
      [heartbeatStaleMs / 1000],
    );
    const [found] = rows;
    if (found?.stale !== true) {
      this.staleBackend = null;
      return false;
    }
    if (this.staleBackend !== found.pid) {
      this.staleBackend = found.pid;
      return false;
    }
    await session.query('select pg_terminate_backend($1, $2)', [found.pid, backendEndTimeoutMs]);
    await session.query(
      `insert into freshet.events (level, kind, message) values ('warning', 'orchestrator.frozen', $1)`,
      [
        `the orchestrator gave no sign for ${heartbeatStaleMs / 1000} s; its connection was ended and another process took over`,
      ],
    );
    return true;
  }
}

/** Who holds the lock: at most one backend. */
const holders = `(select a.pid, a.application_name from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey})`;

async function tryLock(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${lockKey}) as locked`,
  );
  return rows[0]?.locked === true;
}

async function hold(session: Session, onLost: () => void): Promise<Leadership> {
  const token = randomUUID();
  await session.query(
    `insert into freshet.orchestrator (token, host, pid, backend_pid, heartbeat_at) values ($1, $2, $3, pg_backend_pid(), clock_timestamp())
     on conflict (single) do update set token = excluded.token, host = excluded.host, pid = excluded.pid, backend_pid = excluded.backend_pid,
       started_at = clock_timestamp(), heartbeat_at = excluded.heartbeat_at`,
    [token, hostname(), process.pid],
  );
  return new HeldLock(session, token, onLost);
}

class HeldLock implements Leadership {
  private isReleased = false;
  private isLost = false;
  private heardAt = performance.now();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly session: Session,
    readonly token: string,
    private readonly onLost: () => void,
  ) {
    session.on('end', () => this.lose());
    this.timer = setInterval(() => void this.beat(), heartbeatEveryMs);
    // The process lives as long as it has work, not because its heart beats.
    this.timer.unref();
  }

  async assertHeld(): Promise<void> {
    try {
      await withLimit(this.session.query('select 1'), leadershipCheckMs);
      if (!this.isLost) return;
    } catch (error) {
      this.lose();
      throw lostError(messageOf(error));
    }
    throw lostError('its connection ended');
  }

  async release(): Promise<void> {
    this.isReleased = true;
    clearInterval(this.timer);
    await this.session.end().catch(() => undefined);
  }

  /** A heartbeat that cannot be written for too long: a standby may think that this process is frozen, and take over. */
  private async beat(): Promise<void> {
    try {
      const written = this.session.query(
        'update freshet.orchestrator set heartbeat_at = clock_timestamp() where token = $1',
        [this.token],
      );
      await withLimit(written, heartbeatEveryMs);
      this.heardAt = performance.now();
    } catch {
      if (performance.now() - this.heardAt > leadershipLostMs) this.lose();
    }
  }

  private lose(): void {
    if (this.isReleased || this.isLost) return;
    this.isLost = true;
    clearInterval(this.timer);
    this.onLost();
  }
}

function lostError(reason: string): FreshetError {
  return new FreshetError('LEADERSHIP_LOST', `This process is not the orchestrator any more: ${reason}.`);
}

async function withLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), limitMs);
  try {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        limit.signal.addEventListener('abort', () => reject(new Error(`no answer within ${limitMs} ms`)));
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** The process that is the orchestrator now, as its session names it (`freshet orchestrator <pid>`), or null. */
export async function findOrchestrator(session: Pick<Pool, 'query'>): Promise<string | null> {
  const { rows } = await session.query<{ name: string }>(`select application_name as name from ${holders} h`);
  return rows[0]?.name ?? null;
}
