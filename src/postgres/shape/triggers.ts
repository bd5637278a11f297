import type { Session } from '../session.js';
import type { TriggerShape } from './types.js';

/**
 * `tail` is what follows the known beginning of the definition, compared character by character: names, conditions and arguments are not
 * looked into. Events and timing are bits of `tgtype`, as the server's `trigger.h` has them.
 */
const triggerQuery = `
  select g.tgname as name, x.head, g.tgenabled::text as enabled,
    case when starts_with(x.whole, x.head || x.place) then substr(x.whole, length(x.head || x.place) + 1) end as tail,
    obj_description(g.oid, 'pg_trigger') as comment,
    obj_description(nullif(g.tgconstraint, 0), 'pg_constraint') as "constraintComment"
  from pg_trigger g
  join pg_class t on t.oid = g.tgrelid join pg_namespace n on n.oid = t.relnamespace
  cross join lateral (select
    'CREATE ' || case when g.tgconstraint <> 0 then 'CONSTRAINT ' else '' end || 'TRIGGER ' || quote_ident(g.tgname)
      || case when g.tgtype & 2 <> 0 then ' BEFORE ' when g.tgtype & 64 <> 0 then ' INSTEAD OF ' else ' AFTER ' end
      || concat_ws(' OR ', case when g.tgtype & 4 <> 0 then 'INSERT' end, case when g.tgtype & 8 <> 0 then 'DELETE' end,
        case when g.tgtype & 16 <> 0 then 'UPDATE' || coalesce(' OF ' || (
          select string_agg(quote_ident(a.attname), ', ' order by u.position)
          from unnest(g.tgattr::int2[]) with ordinality u(num, position)
          join pg_attribute a on a.attrelid = g.tgrelid and a.attnum = u.num), '') end,
        case when g.tgtype & 32 <> 0 then 'TRUNCATE' end) as head,
    ' ON ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ' ' as place,
    pg_get_triggerdef(g.oid) as whole) x
  where g.tgrelid = $1 and not g.tgisinternal
  order by g.tgname collate "C"`;

/** Reads the triggers that somebody made on the table. */
export async function readTriggers(session: Session, tableOid: number): Promise<TriggerShape[]> {
  const { rows } = await session.query<TriggerShape>(triggerQuery, [tableOid]);
  return rows;
}
