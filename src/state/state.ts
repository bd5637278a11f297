import pg from 'pg';
import { FreshetError, messageOf } from '../errors.js';
import { connectTimeoutMs, statePoolConnectionsMax } from '../limits.js';
import { nameDatabase } from '../postgres/faults.js';
import { processToken, urlWithName } from '../postgres/sessionNames.js';
import { migrateState } from './migrations.js';

/** A connection pool to the state database. Every function of this folder takes it first. */
export interface State {
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

// bigint columns (progress, counts, slices) arrive as numbers: they stay far below 2^53.
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === 20 ? Number : (pg.types.getTypeParser(oid, format) as (text: string) => unknown),
};

type AnyCall = (...args: unknown[]) => unknown;

/** What `call` throws, by promise or to its callback, says that it was the state database: its faults are told from those of others. */
function named(call: AnyCall): AnyCall {
  return (...args) => {
    const done = args.at(-1);
    if (typeof done !== 'function') {
      const answer = call(...args);
      return answer instanceof Promise ? answer.catch(throwNamed) : answer;
    }
    return call(...args.slice(0, -1), (error: unknown, ...results: unknown[]) => {
      nameDatabase(error, 'state database');
      (done as AnyCall)(error, ...results);
    });
  };
}

function throwNamed(error: unknown): never {
  nameDatabase(error, 'state database');
  throw error;
}

/** Connects to the state database and brings its tables up to date. */
export async function openState(url: string): Promise<State> {
  const pool = new pg.Pool({
    connectionString: urlWithName(url, `freshet state ${processToken}`),
    max: statePoolConnectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    types,
  });
  pool.on('connect', (client) => {
    client.query = named(client.query.bind(client)) as pg.PoolClient['query'];
    // One that breaks between two statements of a transaction: the next statement says so.
    client.on('error', () => undefined);
  });
  pool.connect = named(pool.connect.bind(pool) as AnyCall) as pg.Pool['connect'];
  // An idle connection that breaks (server restarted) is replaced by the pool; without a listener the process would end.
  pool.on('error', () => undefined);
  try {
    await migrateState(pool);
  } catch (error) {
    await pool.end();
    if (error instanceof FreshetError) throw error;
    throw new FreshetError(
      'DATABASE_UNREACHABLE',
      `The state database cannot be used: ${messageOf(error)}`,
      { database: 'state database' },
      { cause: error },
    );
  }
  return { pool, close: () => pool.end() };
}
