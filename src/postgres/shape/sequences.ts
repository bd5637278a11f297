import type { Session } from '../session.js';
import type { SequenceShape } from './types.js';

interface SequenceRow extends Omit<SequenceShape, 'name'> {
  schema: string;
  relname: string;
}

/** Reads the sequences that the table's columns own or that their defaults call (by dependency, not by name). */
export async function readSequences(session: Session, tableOid: number): Promise<SequenceShape[]> {
  const { rows } = await session.query<SequenceRow>(
    `select s.oid, n.nspname as schema, s.relname,
       (select min(a.attname::text) from pg_attrdef f
         join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
         join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
         where f.adrelid = $1 and d.refclassid = 'pg_class'::regclass and d.refobjid = s.oid) as "defaultOf",
       (select a.attname::text from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
         where d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass
           and d.refobjid = $1 and d.deptype = 'a') as "ownedBy",
       exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = s.oid
         and d.refclassid = 'pg_class'::regclass and d.refobjid <> $1 and d.deptype in ('a', 'i')) as "ownedElsewhere"
     from pg_class s join pg_namespace n on n.oid = s.relnamespace
     where s.relkind = 'S' and s.oid in (
       select d.refobjid from pg_attrdef f join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid
         where f.adrelid = $1 and d.refclassid = 'pg_class'::regclass
       union all
       select d.objid from pg_depend d
         where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = $1 and d.deptype = 'a')
     order by n.nspname, s.relname`,
    [tableOid],
  );
  return rows.map(({ schema, relname, ...sequence }) => ({ ...sequence, name: { schema, name: relname } }));
}
