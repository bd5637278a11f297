import type { Session } from '../session.js';
import type { ColumnShape } from './types.js';

/** Reads the columns of a table in their order; dropped ones are no columns. */
export async function readColumns(session: Session, oid: number): Promise<ColumnShape[]> {
  const { rows } = await session.query<ColumnShape>(
    `select a.attname as name,
       format_type(a.atttypid, a.atttypmod) as type,
       case when a.attcollation <> t.typcollation then quote_ident(cn.nspname) || '.' || quote_ident(co.collname) end as collation,
       pg_get_expr(d.adbin, d.adrelid) as "defaultExpression",
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
