import pg from 'pg';
import { connectTimeoutMs, sessionKeepaliveMs } from '../limits.js';
import { FreshetError, messageOf } from '../errors.js';
import { nameDatabase } from './faults.js';
import { owningRun, sessionName, urlWithName } from './sessionNames.js';

export type Session = pg.Client;

export interface SessionOptions {
  /** Shown in pg_stat_activity; a session that belongs to a run also says which (`sessionNames.ts`). At most 63 bytes. */
  readonly applicationName: string;
  /** What the database is called in errors: `catalog`, `API database`, `state database`. Never the URL: it may hold a password. */
  readonly called: string;
  /** Breaks the connection after this time, ms, whatever it does then: for a server that may be cut off. Default: it may work for ever. */
  readonly limitMs?: number;
}

/** What this process has open for each run, so that it can be let go of when the server cannot be asked to. */
const sessionsOfRuns = new Map<string, Set<Session>>();

/**
 * Breaks the connections that this process has open for a run: what waits there for an answer fails at once. For a server that is cut off; one
 * that answers is asked to end them (`endRunSessions`), because a backend goes on until it notices.
 */
export function breakRunSessions(runId: string): void {
  for (const client of sessionsOfRuns.get(runId) ?? [])
    client.connection.stream.destroy(new Error(`run ${runId} is given up`));
}

function remember(client: Session): void {
  const runId = owningRun();
  if (runId === null) return;
  const sessions = sessionsOfRuns.get(runId) ?? new Set();
  sessionsOfRuns.set(runId, sessions.add(client));
  client.once('end', () => {
    sessions.delete(client);
    if (sessions.size === 0) sessionsOfRuns.delete(runId);
  });
}

/**
 * Opens one session. Every statement has no time limit of the server's own (a default of one hour ended the predecessor's copies):
 * limits are set where a statement needs one. A commit that was told outlives the server's crash: a lost swap would leave the new aliases
 * before the old tables. Names resolve in pg_catalog only, so that definitions come back fully qualified. In the API database a statement from
 * which row security would hide rows fails instead: a record or a deletion that is not seen would be lost silently.
 */
export async function openSession(url: string, options: SessionOptions): Promise<Session> {
  const client = new pg.Client({
    connectionString: urlWithName(url, sessionName(options.applicationName)),
    connectionTimeoutMillis: Math.min(connectTimeoutMs, options.limitMs ?? connectTimeoutMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: sessionKeepaliveMs,
    options:
      '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=0 -c synchronous_commit=on -c search_path=pg_catalog' +
      (options.called === 'API database' ? ' -c row_security=off' : ''),
  });
  // A broken connection also rejects the statement in flight; without a listener the process would end.
  client.on('error', () => undefined);
  remember(client);
  try {
    await client.connect();
  } catch (error) {
    throw new FreshetError(
      'DATABASE_UNREACHABLE',
      `The ${options.called} cannot be reached: ${messageOf(error)}`,
      { database: options.called },
      { cause: error },
    );
  }
  if (options.limitMs !== undefined) breakAfter(client, options.limitMs);
  return client;
}

/** A server that is cut off answers neither a statement nor a goodbye. */
function breakAfter(client: Session, limitMs: number): void {
  const timer = setTimeout(() => {
    client.connection.stream.destroy(new Error(`no answer within ${limitMs} ms`));
  }, limitMs);
  timer.unref();
  client.once('end', () => clearTimeout(timer));
}

/** Opens a session, runs `work`, closes the session whatever happens. */
export async function withSession<T>(
  url: string,
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(url, options);
  try {
    return await work(session);
  } catch (error) {
    nameDatabase(error, options.called);
    throw error;
  } finally {
    await session.end().catch(() => undefined);
  }
}

/** Runs `work` in one transaction: commit on return, rollback on throw. */
export async function withTransaction<T>(
  session: Session,
  work: () => Promise<T>,
  begin = 'begin',
): Promise<T> {
  await session.query(begin);
  try {
    const result = await work();
    await session.query('commit');
    return result;
  } catch (error) {
    await session.query('rollback').catch(() => undefined);
    throw error;
  }
}
