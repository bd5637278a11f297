import type { Session } from '../session.js';
import type { IndexShape, KeyConstraint } from './types.js';

interface IndexRow extends Omit<IndexShape, 'constraint'> {
  constraintType: KeyConstraint['type'] | null;
  deferrable: boolean | null;
  initiallyDeferred: boolean | null;
  constraintComment: string | null;
  constraintDefinition: string | null;
}

/**
 * The definition is what follows the known beginning of `pg_get_indexdef`, compared character by character: nothing is searched for in
 * it, so quotes, braces and keywords in names and expressions cannot mislead (the predecessor split the text at spaces).
 */
const indexQuery = `
  select i.indexrelid as oid, c.relname as name, i.indisunique as unique,
    case when starts_with(x.whole, x.beginning) then substr(x.whole, length(x.beginning) + 1) end as definition,
    array(select pg_get_indexdef(i.indexrelid, n, false) from generate_series(1, i.indnkeyatts) n) as keys,
    pg_get_expr(i.indpred, i.indrelid) as predicate,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) as "nullsNotDistinct",
    ts.spcname as tablespace,
    i.indisclustered as clustered,
    i.indisreplident as "replicaIdentity",
    i.indisvalid and i.indisready as valid,
    obj_description(i.indexrelid, 'pg_class') as comment,
    coalesce((select jsonb_agg(jsonb_build_object('position', a.attnum, 'target', a.attstattarget) order by a.attnum)
      from pg_attribute a where a.attrelid = i.indexrelid and a.attstattarget >= 0), '[]') as statistics,
    case con.contype when 'p' then 'primary key' when 'u' then 'unique' when 'x' then 'exclusion' end as "constraintType",
    case con.contype when 'x' then pg_get_constraintdef(con.oid) end as "constraintDefinition",
    con.condeferrable as deferrable, con.condeferred as "initiallyDeferred",
    obj_description(con.oid, 'pg_constraint') as "constraintComment"
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_class t on t.oid = i.indrelid
  join pg_namespace n on n.oid = t.relnamespace
  left join pg_tablespace ts on ts.oid = c.reltablespace
  left join pg_constraint con on con.conindid = i.indexrelid and con.conrelid = i.indrelid and con.contype in ('p', 'u', 'x')
  cross join lateral (select pg_get_indexdef(i.indexrelid) as whole,
    'CREATE ' || case when i.indisunique then 'UNIQUE ' else '' end || 'INDEX ' || quote_ident(c.relname) || ' ON '
      || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ' ' as beginning) x
  where i.indrelid = $1
  order by c.relname collate "C"`;

function toIndex({
  constraintType,
  deferrable,
  initiallyDeferred,
  constraintComment,
  constraintDefinition,
  ...index
}: IndexRow): IndexShape {
  return {
    ...index,
    constraint:
      constraintType === null
        ? null
        : {
            type: constraintType,
            definition: constraintDefinition,
            deferrable: deferrable === true,
            initiallyDeferred: initiallyDeferred === true,
            comment: constraintComment,
          },
  };
}

/** Reads all indexes of a table with the constraints that they stand behind. */
export async function readIndexes(session: Session, tableOid: number): Promise<IndexShape[]> {
  const { rows } = await session.query<IndexRow>(indexQuery, [tableOid]);
  return rows.map(toIndex);
}
