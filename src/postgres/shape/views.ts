import type { Session } from '../session.js';
import type { ViewShape } from './types.js';

interface ViewRow extends Omit<ViewShape, 'name'> {
  schema: string;
  relname: string;
}

/** Reads the plain views that read the table themselves. Views on those views refer to them by oid and need nothing. */
export async function readViews(session: Session, oid: number): Promise<ViewShape[]> {
  const { rows } = await session.query<ViewRow>(
    `select v.oid, n.nspname as schema, v.relname, o.rolname as owner, pg_get_viewdef(v.oid) as definition,
       coalesce(v.reloptions, '{}')::text[] as options
     from pg_class v join pg_namespace n on n.oid = v.relnamespace join pg_roles o on o.oid = v.relowner
     where v.relkind = 'v' and v.oid <> $1 and exists (
       select from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
       where r.ev_class = v.oid and r.rulename = '_RETURN' and d.refclassid = 'pg_class'::regclass and d.refobjid = $1)
     order by v.oid`,
    [oid],
  );
  return rows.map(({ schema, relname, ...view }) => ({ ...view, name: { schema, name: relname } }));
}
