import type { Session } from '../session.js';
import type { PolicyShape } from './types.js';

/** Reads the policies of the table, whether row security is on or not. */
export async function readPolicies(session: Session, tableOid: number): Promise<PolicyShape[]> {
  const { rows } = await session.query<PolicyShape>(
    `select p.polname as name, p.polpermissive as permissive,
       case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
       array(select r.rolname::text from unnest(p.polroles) u(oid) left join pg_roles r on r.oid = u.oid order by 1 nulls first) as roles,
       pg_get_expr(p.polqual, p.polrelid) as using,
       pg_get_expr(p.polwithcheck, p.polrelid) as check,
       obj_description(p.oid, 'pg_policy') as comment
     from pg_policy p where p.polrelid = $1 order by p.polname collate "C"`,
    [tableOid],
  );
  return rows;
}
