import type { QualifiedName } from '../identifiers.js';
import type { Session } from '../session.js';
import type { ForeignKeyShape } from './types.js';

interface ForeignKeyRow extends Omit<ForeignKeyShape, 'table' | 'target'> {
  tableSchema: string;
  tableName: string;
  targetSchema: string;
  targetName: string;
}

/** `tail` is what follows the known beginning of the definition, compared character by character. NOT VALID is taken off both: `valid` tells it. */
const foreignKeyQuery = `
  select k.conname as name, k.conrelid as "tableOid", k.confrelid as "targetOid",
    rn.nspname as "tableSchema", r.relname as "tableName", tn.nspname as "targetSchema", t.relname as "targetName",
    x.columns, x."targetColumns",
    array(select quote_ident(n.nspname) || '.' || o.oprname from unnest(k.conpfeqop) with ordinality u(oid, position)
      join pg_operator o on o.oid = u.oid join pg_namespace n on n.oid = o.oprnamespace order by u.position) as operators,
    y.definition,
    case when starts_with(y.definition, y.beginning) then substr(y.definition, length(y.beginning) + 1) end as tail,
    k.convalidated as valid,
    coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) as enforced,
    obj_description(k.oid, 'pg_constraint') as comment
  from pg_constraint k
  join pg_class r on r.oid = k.conrelid join pg_namespace rn on rn.oid = r.relnamespace
  join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace
  cross join lateral (select
    array(select a.attname::text from unnest(k.conkey) with ordinality u(num, position)
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num order by u.position) as columns,
    array(select a.attname::text from unnest(k.confkey) with ordinality u(num, position)
      join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num order by u.position) as "targetColumns",
    pg_get_constraintdef(k.oid) as whole) x
  cross join lateral (select
    case when not k.convalidated and right(x.whole, 10) = ' NOT VALID' then left(x.whole, -10) else x.whole end as definition,
    'FOREIGN KEY (' || (select string_agg(quote_ident(c), ', ' order by p) from unnest(x.columns) with ordinality u(c, p))
      || ') REFERENCES ' || quote_ident(tn.nspname) || '.' || quote_ident(t.relname)
      || '(' || (select string_agg(quote_ident(c), ', ' order by p) from unnest(x."targetColumns") with ordinality u(c, p)) || ')'
      as beginning) y
  where k.contype = 'f' and k.conparentid = 0`;

function toForeignKey({
  tableSchema,
  tableName,
  targetSchema,
  targetName,
  ...key
}: ForeignKeyRow): ForeignKeyShape {
  const table: QualifiedName = { schema: tableSchema, name: tableName };
  return { ...key, table, target: { schema: targetSchema, name: targetName } };
}

/** Reads the foreign keys that the table has. */
export async function readOutboundKeys(session: Session, oid: number): Promise<ForeignKeyShape[]> {
  const { rows } = await session.query<ForeignKeyRow>(
    `${foreignKeyQuery} and k.conrelid = $1 order by k.conname`,
    [oid],
  );
  return rows.map(toForeignKey);
}

/** Reads the foreign keys that point at the table. */
export async function readInboundKeys(session: Session, oid: number): Promise<ForeignKeyShape[]> {
  const { rows } = await session.query<ForeignKeyRow>(
    `${foreignKeyQuery} and k.confrelid = $1 order by k.conrelid, k.conname`,
    [oid],
  );
  return rows.map(toForeignKey);
}
