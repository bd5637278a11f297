import type { Session } from '../session.js';
import type { ColumnShape } from './types.js';

/** The sequence of the identity column `a`. Grants are told as those of tables are. */
const identityQuery = `
  (select jsonb_build_object(
     'kind', case a.attidentity when 'a' then 'always' else 'by default' end,
     'oid', s.oid::int8,
     'name', jsonb_build_object('schema', n.nspname, 'name', s.relname),
     'options', concat_ws(' ', 'increment by', q.seqincrement, 'minvalue', q.seqmin, 'maxvalue', q.seqmax, 'start with', q.seqstart,
       'cache', q.seqcache, case when q.seqcycle then 'cycle' else 'no cycle' end),
     'comment', obj_description(s.oid, 'pg_class'),
     'grants', coalesce((
       select jsonb_agg(jsonb_build_object('column', null, 'grantee', g.grantee, 'privilege', g.privilege, 'grantable', g.grantable)
         order by g.grantee nulls first, g.privilege)
       from (select r.rolname::text as grantee, x.privilege_type as privilege, bool_or(x.is_grantable) as grantable
         from aclexplode(coalesce(s.relacl, acldefault('s', s.relowner))) x left join pg_roles r on r.oid = x.grantee
         group by 1, 2) g), '[]'),
     'lastValue', case when has_sequence_privilege(s.oid, 'USAGE, SELECT') then pg_sequence_last_value(s.oid)::text end)
   from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
   join pg_namespace n on n.oid = s.relnamespace join pg_sequence q on q.seqrelid = s.oid
   where a.attidentity <> '' and d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
     and d.refobjid = a.attrelid and d.refobjsubid = a.attnum and d.deptype = 'i')`;

/** Reads the columns of a table in their order; dropped ones are no columns. */
export async function readColumns(session: Session, oid: number): Promise<ColumnShape[]> {
  const { rows } = await session.query<ColumnShape>(
    `select a.attname as name,
       format_type(a.atttypid, a.atttypmod) as type,
       case when a.attcollation <> t.typcollation then quote_ident(cn.nspname) || '.' || quote_ident(co.collname) end as collation,
       pg_get_expr(d.adbin, d.adrelid) as "defaultExpression",
       case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end as generated,
       ${identityQuery} as identity,
       a.attnotnull as "notNull",
       a.attstorage::text as storage,
       a.attcompression::text as compression,
       nullif(a.attstattarget, -1)::int4 as "statisticsTarget",
       coalesce(a.attoptions, '{}')::text[] as options,
       col_description(a.attrelid, a.attnum) as comment
     from pg_attribute a
     join pg_type t on t.oid = a.atttypid
     left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     left join pg_collation co on co.oid = a.attcollation
     left join pg_namespace cn on cn.oid = co.collnamespace
     where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
     order by a.attnum`,
    [oid],
  );
  return rows;
}
