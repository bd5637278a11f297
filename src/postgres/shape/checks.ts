import type { Session } from '../session.js';
import type { CheckShape } from './types.js';

/** Reads CHECK constraints and, from Postgres 18 on, named NOT NULL constraints. */
export async function readChecks(session: Session, oid: number): Promise<CheckShape[]> {
  const { rows } = await session.query<CheckShape>(
    `select conname as name,
       case contype when 'c' then 'check' else 'not null' end as type,
       pg_get_constraintdef(oid) as definition,
       convalidated as valid,
       obj_description(oid, 'pg_constraint') as comment
     from pg_constraint where conrelid = $1 and contype in ('c', 'n')
     order by conname`,
    [oid],
  );
  return rows;
}
