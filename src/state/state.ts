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

/** What a statement throws says that it was the state database, for whoever has to tell its faults from those of others. */
function nameFaults(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const named = (...args: unknown[]): unknown => {
    const done = args.at(-1);
    if (typeof done !== 'function') {
      const answer = query(...args);
      return answer instanceof Promise ? answer.catch(throwNamed) : answer;
    }
    return query(...args.slice(0, -1), (error: unknown, result: unknown) => {
      nameDatabase(error, 'state database');
      (done as (error: unknown, result: unknown) => void)(error, result);
    });
  };
  client.query = named as pg.PoolClient['query'];
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
    nameFaults(client);
    // One that breaks between two statements of a transaction: the next statement says so.
    client.on('error', () => undefined);
  });
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
