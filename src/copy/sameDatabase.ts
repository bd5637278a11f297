import { FreshetError } from '../errors.js';
import type { Session } from '../postgres/session.js';

interface DatabaseIdentity {
  readonly system: string;
  readonly oid: string;
  readonly name: string;
  readonly started: string;
  readonly isReplica: boolean;
}

/**
 * Throws SAME_DATABASE where both sessions are in one database, or in a database and its replica. A restored snapshot of a server has the
 * same system identifier but is another server: there the time of its start differs.
 */
export async function assertDifferentDatabases(catalog: Session, api: Session): Promise<void> {
  const [a, b] = [await readIdentity(catalog), await readIdentity(api)];
  const isSame = a.system === b.system && a.oid === b.oid && a.name === b.name;
  if (!isSame || (a.started !== b.started && !a.isReplica && !b.isReplica)) return;
  throw new FreshetError('SAME_DATABASE', `Catalog and API database are the same database: ${a.name}.`, {
    name: a.name,
  });
}

async function readIdentity(session: Session): Promise<DatabaseIdentity> {
  const { rows } = await session.query<DatabaseIdentity>(
    `select s.system_identifier::text as system, d.oid::text as oid, d.datname as name,
      pg_postmaster_start_time()::text as started, pg_is_in_recovery() as "isReplica"
      from pg_control_system() s, pg_database d where d.datname = current_database()`,
  );
  const [identity] = rows;
  if (identity === undefined) throw new FreshetError('INTERNAL', 'A database that is not in pg_database.');
  return identity;
}
