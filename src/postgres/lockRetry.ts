import { setTimeout as delay } from 'node:timers/promises';
import { FreshetError } from '../errors.js';
import {
  blockersShownMax,
  lockRetryDelayMsMax,
  lockRetryDelayMsMin,
  lockWindowMs,
  queryShownCharactersMax,
  swapLockTimeoutMs,
} from '../limits.js';
import type { Session } from './session.js';

/** A session that holds a lock which is needed. */
export interface Blocker {
  /** Null for a prepared transaction. */
  readonly pid: number | null;
  readonly user: string | null;
  readonly applicationName: string | null;
  readonly state: string | null;
  /** Its last or current statement, shortened. */
  readonly query: string | null;
  /** Since its transaction began. */
  readonly ageMs: number | null;
  readonly table: string;
  readonly mode: string;
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether `error` has this SQLSTATE. */
export function hasSqlState(error: unknown, ...states: readonly string[]): boolean {
  const code = codeOf(error);
  return code !== undefined && states.includes(code);
}

/** lock_not_available, deadlock_detected, query_canceled (the limit over several locks). */
export function isLockFailure(error: unknown): boolean {
  return hasSqlState(error, '55P03', '40P01', '57014');
}

/** Who holds locks on these tables, the oldest transaction first. Taken right after a lock could not be had: each of them may be the reason. */
export async function findBlockers(session: Session, oids: readonly number[]): Promise<Blocker[]> {
  const { rows } = await session.query<Blocker>(
    `select l.pid, a.usename::text as user, a.application_name as "applicationName", a.state, left(a.query, $2) as query,
       (extract(epoch from clock_timestamp() - a.xact_start) * 1000)::int8::float8 as "ageMs",
       min(l.relation::regclass::text) as "table", min(l.mode) as mode
     from pg_locks l left join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'relation' and l.granted and l.relation = any($1::oid[]) and l.pid is distinct from pg_backend_pid()
       and l.database = (select oid from pg_database where datname = current_database())
     group by l.pid, a.usename, a.application_name, a.state, a.query, a.xact_start
     order by a.xact_start nulls first limit $3`,
    [oids, queryShownCharactersMax, blockersShownMax],
  );
  return rows;
}

/** One line for people: `pid 4711 (api, idle in transaction, 62 s): select …`. */
export function describeBlocker({ pid, user, state, ageMs, query }: Blocker): string {
  const who = pid === null ? 'a prepared transaction' : `pid ${pid}`;
  const age = ageMs === null ? '' : `, ${Math.round(ageMs / 1000)} s`;
  return `${who} (${user ?? 'unknown user'}, ${state ?? 'unknown state'}${age}): ${query ?? ''}`;
}

/** The pause before the next try: doubles up to the maximum, with jitter so that two who wait do not meet again and again. */
export function retryDelayMs(tries: number, random: () => number = Math.random): number {
  const whole = Math.min(lockRetryDelayMsMax, lockRetryDelayMsMin * 2 ** Math.min(tries, 16));
  return Math.round(whole * (0.5 + random() / 2));
}

/**
 * Runs `statement` with a short lock_timeout, again and again until it has its locks: whoever waits behind it for the table waits at most
 * that long at a time. After `windowMs` it throws TABLE_BUSY with who holds the tables.
 */
export async function runWithLockRetries(
  session: Session,
  statement: () => Promise<unknown>,
  tables: { readonly relation: string; readonly oids: readonly number[] },
  windowMs = lockWindowMs,
): Promise<void> {
  const deadline = Date.now() + windowMs;
  await session.query(`set lock_timeout = ${swapLockTimeoutMs}`);
  try {
    for (let tries = 0; ; tries += 1) {
      try {
        await statement();
        return;
      } catch (error) {
        if (!isLockFailure(error)) throw error;
        if (Date.now() >= deadline) throw await tableBusy(session, tables, error);
      }
      await delay(retryDelayMs(tries));
    }
  } finally {
    await session.query('set lock_timeout = 0');
  }
}

async function tableBusy(
  session: Session,
  { relation, oids }: { readonly relation: string; readonly oids: readonly number[] },
  cause: unknown,
): Promise<FreshetError> {
  const blockers = (await findBlockers(session, oids)).map(describeBlocker);
  return new FreshetError(
    'TABLE_BUSY',
    `${relation} could not be locked: ${blockers.join('; ') || 'nobody holds it any more'}.`,
    { relation, blockers },
    { cause },
  );
}
