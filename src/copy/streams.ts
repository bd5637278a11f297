import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import type { Readable } from 'node:stream';
import type { Session } from '../postgres/session.js';
import { explainFailure, type DatabaseName } from './failures.js';

/** Starts `copy (…) to stdout`. The stream ends with a FreshetError where the statement fails, also when nobody reads it yet. */
export function openCopyOut(session: Session, database: DatabaseName, select: string): Readable {
  const stream = session.query(copyTo(`copy (${select}) to stdout`));
  // pg-copy-streams only emits an error: who begins to read later would wait for ever.
  const query = stream as unknown as { handleError(error: Error): void };
  query.handleError = (error) => void stream.destroy(explainFailure(error, { database }));
  stream.on('error', () => undefined);
  return stream;
}

/** Starts a `copy … from stdin`. */
export function openCopyIn(session: Session, statement: string): ReturnType<typeof copyFrom> {
  return session.query(copyFrom(statement));
}

/** Ends a session without asking the server, which may be in the middle of a COPY. What was not committed is undone there. */
export function destroySession(session: Session): void {
  const { connection } = session as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}
