import type { Session } from '../../../src/postgres/session.js';

/**
 * What a user of a table finds in it, one line each, without what differs between two equal tables (oids, statistics, positions of sequences).
 * Written apart from the product's own reading of tables, which it judges.
 */
const shapeQuery = `
with t as (select c.*, c.oid::regclass::text as called from pg_class c where c.oid = to_regclass($1)),
columns as (
  select a.*, row_number() over (order by a.attnum) as place, pg_get_expr(f.adbin, f.adrelid) as expression
  from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef f on f.adrelid = t.oid and f.adnum = a.attnum),
readers as (
  select distinct v.* from t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_rewrite'::regclass
  join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class and v.oid <> t.oid),
grants as (
  select t.called as object, t.relowner as owner, t.relacl as acl from t
  union all select v.oid::regclass::text, v.relowner, v.relacl from readers v
  union all select t.called || '.' || c.attname, t.relowner, c.attacl from t, columns c)
select line from (
  select 'owner ' || relowner::regrole as line from t
  union all select 'storage ' || option from t, unnest(reloptions) as option
  union all select 'row security' from t where relrowsecurity
  union all select 'column ' || concat_ws(' ', place, attname, format_type(atttypid, atttypmod),
    case when attnotnull then 'not null' end, 'default ' || expression,
    case when nullif(attstattarget, -1) is not null then 'statistics ' || attstattarget end) from columns
  union all select 'constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid) from t join pg_constraint k on k.conrelid = t.oid
    where k.contype <> 'n'
  union all select 'key ' || k.conname || ' of ' || k.conrelid::regclass || ' ' || pg_get_constraintdef(k.oid)
    from t join pg_constraint k on k.confrelid = t.oid and k.conrelid <> t.oid
  union all select 'index ' || pg_get_indexdef(i.indexrelid) from t join pg_index i on i.indrelid = t.oid
  union all select 'view ' || v.oid::regclass || pg_get_viewdef(v.oid) from readers v
  union all select 'trigger ' || pg_get_triggerdef(g.oid) from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
  union all select 'sequence ' || d.objid::regclass || ' owned by ' || c.attname || ' ' || q.seqtypid::regtype
    from t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid and d.classid = 'pg_class'::regclass
    join pg_sequence q on q.seqrelid = d.objid join columns c on c.attnum = d.refobjsubid
  union all select 'grant ' || g.privilege_type || ' on ' || object || ' to ' || case g.grantee when 0 then 'public' else g.grantee::regrole::text end
    from grants, aclexplode(acl) g where g.grantee <> owner
  union all select 'comment on ' || pg_describe_object(d.classoid, d.objoid, d.objsubid) || ': ' || d.description
    from t join pg_description d on (d.classoid = 'pg_class'::regclass and d.objoid = t.oid)
      or (d.classoid = 'pg_class'::regclass and d.objoid in (select indexrelid from pg_index where indrelid = t.oid))
      or (d.classoid = 'pg_class'::regclass and d.objoid in (select oid from readers))
      or (d.classoid = 'pg_constraint'::regclass and d.objoid in (select oid from pg_constraint where conrelid = t.oid))
) lines order by line`;

/** The shape of a table, as lines; the search path of the session is `pg_catalog`, so that names are written in full. */
export async function readTableShape(session: Session, table: string): Promise<string[]> {
  await session.query('set search_path = pg_catalog');
  const { rows } = await session.query<{ line: string }>(shapeQuery, [table]);
  return rows.map(({ line }) => line.replaceAll(/\s+/g, ' '));
}
