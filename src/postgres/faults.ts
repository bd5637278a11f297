import { FreshetError, messageOf } from '../errors.js';

/** disk_full, and configuration_limit_exceeded (`temp_file_limit`, a quota). */
const noSpaceStates: readonly unknown[] = ['53100', '53400'];

const databaseOf = Symbol('freshet.database');

/** Remembers which database threw `error`, for `explainDatabaseFault`. */
export function nameDatabase(error: unknown, database: string): void {
  if (error instanceof Error && !(error instanceof FreshetError)) {
    Object.defineProperty(error, databaseOf, { value: database, configurable: true });
  }
}

/** Turns what Postgres or a connection to it threw into an error that an operator can act on; anything else stays as it is. */
export function explainDatabaseFault(error: unknown): unknown {
  if (error instanceof FreshetError || !(error instanceof Error)) return error;
  const named = (error as { [databaseOf]?: string })[databaseOf];
  const database = named ?? 'database';
  const explained = (code: 'SESSION_LOST' | 'NO_SPACE' | 'STATEMENT_REFUSED', what: string) =>
    new FreshetError(code, `${what}: ${messageOf(error)}`, { database }, { cause: error });
  if (isSessionEnd(error, named !== undefined)) {
    return explained('SESSION_LOST', `The connection to the ${database} broke`);
  }
  if (!isDatabaseError(error)) return error;
  if (noSpaceStates.includes(error.code)) return explained('NO_SPACE', `The ${database} has no space left`);
  // Statements that Postgres does not understand are a fault of ours, not of the operator.
  if (error.code.startsWith('42') && error.code !== '42501') return error;
  return explained('STATEMENT_REFUSED', `The ${database} refused a statement (SQLSTATE ${error.code})`);
}

function isDatabaseError(error: Error): error is Error & { readonly code: string } {
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(String(code));
}

/** What the client library says of a connection that did not come about, or broke before the statement or while it waited for the answer. It has no code. */
const brokenClient =
  /^(Connection terminated|Client has encountered a connection error|Client was closed and is not queryable|timeout exceeded when trying to connect)/;

/** Connection exceptions and a server that ended the session; without a server's answer only what is known to come from a database. */
function isSessionEnd(error: Error, isFromDatabase: boolean): boolean {
  const code = String((error as { code?: unknown }).code);
  if (isDatabaseError(error)) return code.startsWith('08') || code.startsWith('57P');
  if (brokenClient.test(error.message)) return true;
  return isFromDatabase && /^(ECONN|EPIPE|ETIMEDOUT)/.test(code);
}
