import type { ClientBase } from 'pg';
import { FreshetError } from '../errors.js';
import { migrationWaitMs } from '../limits.js';

/**
 * Another process has been making the tables of the state database for longer than that takes: it is frozen, or something holds it up. Names all that
 * hold advisory locks of the database, of which there are few.
 */
export async function stateLocked(queryable: Pick<ClientBase, 'query'>): Promise<FreshetError> {
  const { rows } = await queryable.query<{ holder: string }>(
    `select format('pid %s (%s, %s)', a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.client_addr::text, 'local')) as holder
     from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and a.pid <> pg_backend_pid() and a.application_name not like 'freshet orchestrator%'
       and l.database = (select oid from pg_database where datname = current_database()) order by a.pid`,
  );
  const holders = rows.map(({ holder }) => holder).join(', ') || 'it is gone now';
  return new FreshetError(
    'STATE_LOCKED',
    `Another process has been preparing the state database for ${migrationWaitMs / 1000} s: ${holders}.`,
    { holders },
  );
}
