import { parseQualifiedName } from '../../postgres/identifiers.js';
import type { Session } from '../../postgres/session.js';

interface ColumnFacts {
  readonly name: string;
  readonly type: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
}

/** What is known about a table or view, and what the session's user may do with it. */
export interface RelationFacts {
  /** `schema.name` */
  readonly name: string;
  readonly oid: number;
  /** pg_class.relkind: r table, p partitioned table, v view, m materialized view, f foreign table, … */
  readonly kind: string;
  readonly owner: string;
  /** The user is the owner or a member of its role. */
  readonly owned: boolean;
  readonly readable: boolean;
  readonly mayCreateBeside: boolean;
  readonly bytes: number;
  readonly columns: readonly ColumnFacts[];
}

const relationQuery = `
  select n.nspname || '.' || c.relname as name, c.oid, c.relkind::text as kind, pg_get_userbyid(c.relowner) as owner,
    pg_has_role(c.relowner, 'USAGE') as owned,
    has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT') as readable,
    has_schema_privilege(n.oid, 'CREATE') as "mayCreateBeside",
    case when c.relkind in ('r', 'm') then pg_table_size(c.oid) else 0 end::float8 as bytes,
    (select coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'notNull', a.attnotnull, 'hasDefault', a.atthasdef or a.attidentity <> '') order by a.attnum), '[]')
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')`;

/** The facts about `relation` (`name` or `schema.name`); null where there is none. */
export async function readRelation(session: Session, relation: string): Promise<RelationFacts | null> {
  const { schema, name } = parseQualifiedName(relation);
  const { rows } = await session.query<RelationFacts>(relationQuery, [schema, name]);
  return rows[0] ?? null;
}
