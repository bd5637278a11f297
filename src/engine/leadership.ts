import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { FreshetError, messageOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import {
  backendEndTimeoutMs,
  candidacyMs,
  heartbeatEveryMs,
  heartbeatStaleMs,
  leadershipCheckMs,
  leadershipLostMs,
  leadershipReleaseMs,
} from '../limits.js';
import { openSession, type Session } from '../postgres/session.js';
import { processToken } from '../postgres/sessionNames.js';
import { withLimit } from '../withLimit.js';

/**
 * One active orchestrator per state database: whoever holds this session-level advisory lock, on a connection of its own. It is taken before
 * the engine is launched, always: two live processes with one executor id run the same step twice (seen in experiments).
 *
 * How it passes on:
 * - a process that ends: the server drops its lock at once;
 * - a lost machine: the server's keepalives (50 s), and before that the heartbeat;
 * - a frozen process keeps its connection and lock for ever (seen): it writes a heartbeat, and whoever finds that `heartbeatStaleMs` old twice
 *   ends its backend.
 *
 * What the former one still has open in the state database is ended before its successor does anything: when it thaws, nothing that it had
 * begun there goes on, it finds its connection closed and ends. It asks before every write to the search cluster, which no database can fence
 * (`assertHeld`). A process that is cut off ends itself before a standby may take over (`leadershipLostMs` < `heartbeatStaleMs`).
 */
export interface Leadership {
  /** Names this time of being the orchestrator: written where an older one must be told apart. */
  readonly token: string;
  /** Throws LEADERSHIP_LOST unless the server says this moment that this process is the orchestrator. */
  assertHeld(): Promise<void>;
  /** Gives the role back: others may take it from now on. */
  release(): Promise<void>;
  /** This process cannot do its work any more (nothing can be written into the state database): it ends at once, and the next one goes on. */
  giveUp(reason: string): void;
}

const lockKey = `hashtextextended('freshet orchestrator', 0)`;

/** A lost machine must not hold the lock for the two hours of the kernel's default: the server notices within a minute. */
const serverKeepalives =
  'set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3';

/** Called once when a process that was the orchestrator may not be it any more, with the reason; it must end at once. */
export type OnLost = (reason: string) => void;

/** Tries again and again to become the orchestrator: remembers what it saw, because a heartbeat has to be stale on two looks. */
export class Candidacy {
  private staleBackend: number | null = null;

  constructor(
    private readonly stateUrl: string,
    private readonly onLost: OnLost,
  ) {}

  /** @returns null while another process is the orchestrator. Throws DATABASE_UNREACHABLE; the next try may succeed. */
  async tryOnce(): Promise<Leadership | null> {
    const session = await openSession(this.stateUrl, {
      applicationName: `freshet orchestrator ${process.pid}`,
      called: 'state database',
    });
    try {
      const leadership = await withLimit(this.attempt(session), candidacyMs);
      if (leadership === null) void endSession(session);
      return leadership;
    } catch (error) {
      void endSession(session);
      throw new FreshetError(
        'DATABASE_UNREACHABLE',
        `The state database cannot be used: ${messageOf(error)}`,
        { database: 'state database' },
        { cause: error },
      );
    }
  }

  private async attempt(session: Session): Promise<Leadership | null> {
    await session.query(serverKeepalives);
    let frozen = false;
    if (!(await tryLock(session))) {
      frozen = await this.endFrozen(session);
      if (!frozen || !(await tryLock(session))) return null;
    }
    const claimedAt = performance.now();
    const token = await claim(session, frozen);
    return new HeldLock(session, token, claimedAt, this.onLost);
  }

  /**
   * Ends the backend of an orchestrator whose heartbeat is old, seen twice: a state database that stood still makes it old for a moment. One that
   * never wrote a heartbeat (frozen between lock and first sign) is as old as its backend's last statement.
   */
  private async endFrozen(session: Session): Promise<boolean> {
    const { rows } = await session.query<{ pid: number; stale: boolean }>(
      `select h.pid, clock_timestamp() - coalesce(o.heartbeat_at, h.seen_at) > make_interval(secs => $1) as stale
       from ${holders} h left join freshet.orchestrator o on o.backend_pid = h.pid`,
      [heartbeatStaleMs / 1000],
    );
    const [found] = rows;
    const seenBefore = found !== undefined && this.staleBackend === found.pid;
    this.staleBackend = found?.stale === true ? found.pid : null;
    if (found?.stale !== true || !seenBefore) return false;
    await session.query('select pg_terminate_backend($1, $2)', [found.pid, backendEndTimeoutMs]);
    return true;
  }
}

/** Who holds the lock: at most one backend. */
const holders = `(select a.pid, a.application_name, coalesce(a.state_change, a.backend_start) as seen_at
  from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32 | l.objid::bigint) = ${lockKey})`;

async function tryLock(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${lockKey}) as locked`,
  );
  return rows[0]?.locked === true;
}

interface Former {
  readonly host: string;
  readonly pid: number;
  readonly process: string;
}

/** Ends what the former orchestrator left, then writes this process down as the orchestrator. @returns its token. */
async function claim(session: Session, frozen: boolean): Promise<string> {
  const { rows } = await session.query<Former>('select host, pid, process from freshet.orchestrator');
  const former = rows[0];
  failpoint('orchestrator.alone');
  // One that gave the role back has no row, and may still be at work as a follower.
  if (former !== undefined && former.process !== processToken) await endSessionsOf(session, former, frozen);
  failpoint('orchestrator.ended');
  const token = randomUUID();
  await session.query(
    `insert into freshet.orchestrator (token, host, pid, process, backend_pid, heartbeat_at)
     values ($1, $2, $3, $4, pg_backend_pid(), clock_timestamp())
     on conflict (single) do update set token = excluded.token, host = excluded.host, pid = excluded.pid, process = excluded.process,
       backend_pid = excluded.backend_pid, started_at = clock_timestamp(), heartbeat_at = excluded.heartbeat_at`,
    [token, hostname(), process.pid, processToken],
  );
  return token;
}

/** A frozen process has its connections still, and a dead one's backends end their statements first: neither may write beside its successor. */
async function endSessionsOf(session: Session, former: Former, frozen: boolean): Promise<void> {
  const { rows } = await session.query<{ pid: number; ended: boolean }>(
    `select pid, pg_terminate_backend(pid, $2) as ended from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and application_name like '% ' || $1`,
    [former.process, backendEndTimeoutMs],
  );
  const left = rows.filter(({ ended }) => !ended).map(({ pid }) => pid);
  if (left.length > 0)
    throw new Error(`sessions of the former orchestrator do not end: pid ${left.join(', ')}`);
  const what = frozen ? `gave no sign for ${heartbeatStaleMs / 1000} s` : 'ended';
  await session.query(
    `insert into freshet.events (level, kind, message) values ($1, 'orchestrator.passed-on', $2)`,
    [
      frozen ? 'warning' : 'info',
      `the orchestrator (process ${former.pid} on ${former.host}) ${what}; process ${process.pid} on ${hostname()} took over`,
    ],
  );
}

/** Not waited for without a limit: a server that is cut off never says goodbye. */
async function endSession(session: Session): Promise<void> {
  await withLimit(session.end(), leadershipReleaseMs).catch(() => undefined);
}

class HeldLock implements Leadership {
  private readonly ended = new AbortController();
  private isLost = false;

  /** @param heardAt when the last sign of life that arrived was sent (`performance.now()`). */
  constructor(
    private readonly session: Session,
    readonly token: string,
    private heardAt: number,
    private readonly onLost: OnLost,
  ) {
    session.on('end', () => this.giveUp('its connection ended'));
    // The process lives as long as it has work, not because its heart beats.
    this.beat().catch((error: unknown) => this.giveUp(messageOf(error)));
  }

  async assertHeld(): Promise<void> {
    try {
      await withLimit(this.session.query('select 1'), leadershipCheckMs);
    } catch (error) {
      this.giveUp(messageOf(error));
      throw lostError(messageOf(error));
    }
    if (this.isLost) throw lostError('its connection ended');
  }

  async release(): Promise<void> {
    this.ended.abort();
    const given = this.session.query('delete from freshet.orchestrator where token = $1', [this.token]);
    await withLimit(given, leadershipReleaseMs).catch(() => undefined);
    await endSession(this.session);
  }

  /**
   * One sign of life after the other. It ends where one does not arrive in time, counted from when the last one that did was sent: what a
   * standby sees is never older than that.
   */
  private async beat(): Promise<void> {
    const { signal } = this.ended;
    for (;;) {
      const waitMs = Math.max(0, this.heardAt + heartbeatEveryMs - performance.now());
      await sleep(waitMs, undefined, { signal, ref: false });
      const sentAt = performance.now();
      // After a freeze nobody may have taken over: it is asked once more. A standby waits for longer than both together.
      const limitMs = Math.max(heartbeatEveryMs, this.heardAt + leadershipLostMs - sentAt);
      const { rowCount } = await withLimit(this.sign(), limitMs);
      if (rowCount !== 1) throw new Error('another process is the orchestrator');
      this.heardAt = sentAt;
    }
  }

  private sign(): Promise<{ rowCount: number | null }> {
    return this.session.query(
      'update freshet.orchestrator set heartbeat_at = clock_timestamp() where token = $1',
      [this.token],
    );
  }

  giveUp(reason: string): void {
    if (this.ended.signal.aborted) return;
    this.isLost = true;
    this.ended.abort();
    this.onLost(reason);
  }
}

function lostError(reason: string): FreshetError {
  return new FreshetError('LEADERSHIP_LOST', `This process is not the orchestrator any more: ${reason}.`);
}

/** The process that is the orchestrator now, as its session names it (`freshet orchestrator <pid>`), or null. */
export async function findOrchestrator(session: Pick<Pool, 'query'>): Promise<string | null> {
  const { rows } = await session.query<{ pid: number; name: string }>(
    `select h.pid, h.application_name as name from ${holders} h`,
  );
  const [found] = rows;
  // Where nobody has the lock there may be no tables either.
  if (found === undefined) return null;
  const written = await session.query<{ host: string }>(
    'select host from freshet.orchestrator where backend_pid = $1',
    [found.pid],
  );
  // It has the lock and is about to write itself down.
  const host = written.rows[0]?.host;
  return host === undefined ? found.name : `${found.name} on ${host}`;
}
