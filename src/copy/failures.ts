import { FreshetError, messageOf, type ErrorDetails } from '../errors.js';

export type DatabaseName = 'catalog' | 'API database';

interface FailureContext {
  readonly database: DatabaseName;
  /** The table that was written, if one was. */
  readonly table?: string;
  /** The key of the n-th row (from 1) that was sent, while it is remembered. */
  readonly keyOfRow?: (row: number) => string | null;
}

/** Fields of an error that Postgres reports, as pg gives them. */
interface PostgresError extends Error {
  readonly code: string;
  readonly where?: string;
  readonly column?: string;
}

/** Turns what a database or its connection threw into the error that an operator can act on. A FreshetError stays as it is. */
export function explainFailure(error: unknown, context: FailureContext): FreshetError {
  if (error instanceof FreshetError) return error;
  const { database } = context;
  if (isSessionEnd(error)) {
    return wrap('SESSION_LOST', `The connection to the ${database} broke: ${messageOf(error)}`, error, {
      database,
    });
  }
  if (!isPostgresError(error)) {
    return wrap('INTERNAL', `The copy failed unexpectedly: ${messageOf(error)}`, error, {});
  }
  if (error.code === '53100') {
    return wrap('NO_SPACE', `The ${database} has no space left: ${error.message}`, error, { database });
  }
  const row = /^COPY [^\n]*?, line (\d+)/.exec(error.where ?? '')?.[1];
  if (row !== undefined && /^2[23]/.test(error.code)) return valueRefused(error, Number(row), context);
  return wrap(
    'STATEMENT_REFUSED',
    `The ${database} refused a statement of the copy: ${error.message}`,
    error,
    {
      database,
    },
  );
}

function valueRefused(error: PostgresError, row: number, context: FailureContext): FreshetError {
  const column = error.column ?? /, column (.+?)(: "|: null input|$)/.exec(error.where ?? '')?.[1] ?? null;
  const key = context.keyOfRow?.(row) ?? null;
  const table = context.table ?? '';
  return wrap(
    'COPY_VALUE_REFUSED',
    `${table} in the ${context.database} refused ${column === null ? 'a value' : `the ${column}`} of the record ${key ?? `in row ${row}`}: ${error.message}`,
    error,
    { database: context.database, table, column: column ?? '(not named)', key, row },
  );
}

function wrap(
  code: ConstructorParameters<typeof FreshetError>[0],
  message: string,
  cause: unknown,
  details: ErrorDetails,
): FreshetError {
  return new FreshetError(code, message, details, { cause });
}

function isPostgresError(error: unknown): error is PostgresError {
  return error instanceof Error && /^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code));
}

/** Connection exceptions, a server that ended the session or (a replica) its snapshot, a socket that broke. */
function isSessionEnd(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  if (isPostgresError(error)) return /^(08|57P|EPIPE|40001)/.test(code);
  return /^(ECONN|ETIMEDOUT|ERR_STREAM_)/.test(code) || /\bconnection\b/i.test(messageOf(error));
}

/** Waits for `work` on a database; what it throws names the database. */
export async function explained<T>(database: DatabaseName, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explainFailure(error, { database });
  }
}
