import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import { readChecks } from './shape/checks.js';
import { readColumns } from './shape/columns.js';
import { readInboundKeys, readOutboundKeys } from './shape/foreignKeys.js';
import { readGrants } from './shape/grants.js';
import { readIndexes } from './shape/indexes.js';
import { readPolicies } from './shape/policies.js';
import { readPublications } from './shape/publications.js';
import { readUnsupported } from './shape/refusals.js';
import { readSequences } from './shape/sequences.js';
import { readStatistics } from './shape/statistics.js';
import { readTriggers } from './shape/triggers.js';
import { readViews } from './shape/views.js';
import type { TableShape } from './shape/types.js';

export type * from './shape/types.js';

interface TableRow {
  oid: number;
  owner: string;
  accessMethod: string | null;
  tablespace: string | null;
  comment: string | null;
  options: string[];
  rowSecurity: boolean;
  rowSecurityForced: boolean;
  replicaIdentity: TableShape['replicaIdentity'];
}

const tableQuery = `
  select c.oid, r.rolname as owner, am.amname as "accessMethod", ts.spcname as tablespace,
    obj_description(c.oid, 'pg_class') as comment,
    coalesce(c.reloptions, '{}')::text[]
      || coalesce((select array_agg('toast.' || o) from pg_class t, unnest(t.reloptions) o where t.oid = c.reltoastrelid), '{}') as options,
    c.relrowsecurity as "rowSecurity", c.relforcerowsecurity as "rowSecurityForced",
    case c.relreplident when 'f' then 'full' when 'n' then 'nothing' when 'i' then 'index' else 'default' end as "replicaIdentity"
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_roles r on r.oid = c.relowner
  left join pg_am am on am.oid = c.relam
  left join pg_tablespace ts on ts.oid = c.reltablespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'f', 'v', 'm')`;

async function readTable(session: Session, { schema, name }: QualifiedName): Promise<TableRow> {
  const { rows } = await session.query<TableRow>(tableQuery, [schema, name]);
  const [row] = rows;
  if (row !== undefined) return row;
  throw new FreshetError('TABLE_MISSING', `There is no table ${schema}.${name} in the API database.`, {
    table: `${schema}.${name}`,
    database: 'API database',
  });
}

function definitionsNotUnderstood(
  shape: Pick<TableShape, 'indexes' | 'outboundKeys' | 'inboundKeys' | 'triggers'>,
): string[] {
  return [
    ...shape.indexes
      .filter(({ definition }) => definition === null)
      .map(({ name }) => `definition of index ${name}`),
    ...[...shape.outboundKeys, ...shape.inboundKeys]
      .filter(({ tail }) => tail === null)
      .map(({ name, table }) => `definition of foreign key ${name} on ${table.schema}.${table.name}`),
    ...shape.triggers.filter(({ tail }) => tail === null).map(({ name }) => `definition of trigger ${name}`),
  ];
}

/**
 * Reads everything that the promoted table must have from the catalog, by oid. The session must resolve names in pg_catalog only (as
 * `openSession` does), so that definitions are fully qualified. Throws TABLE_MISSING where there is no such table.
 */
export async function describeTable(session: Session, name: QualifiedName): Promise<TableShape> {
  const table = await readTable(session, name);
  const parts = {
    columns: await readColumns(session, table.oid),
    indexes: await readIndexes(session, table.oid),
    checks: await readChecks(session, table.oid),
    outboundKeys: await readOutboundKeys(session, table.oid),
    inboundKeys: await readInboundKeys(session, table.oid),
    views: await readViews(session, table.oid),
    sequences: await readSequences(session, table.oid),
    grants: await readGrants(session, table.oid),
    triggers: await readTriggers(session, table.oid),
    policies: await readPolicies(session, table.oid),
    publications: await readPublications(session, table.oid),
    statistics: await readStatistics(session, table.oid),
  };
  const unsupported = await readUnsupported(session, table.oid);
  return { name, ...table, ...parts, unsupported: [...unsupported, ...definitionsNotUnderstood(parts)] };
}

/** What of this table cannot be carried to another one, each by name. */
export function unsupportedFeatures(shape: TableShape): readonly string[] {
  return shape.unsupported;
}

/** Throws TABLE_FEATURE_UNSUPPORTED naming everything that cannot be carried. Belongs before the copy: nothing was changed yet. */
export function assertCarryable(shapes: readonly TableShape[]): void {
  const features = shapes.flatMap(unsupportedFeatures);
  if (features.length === 0) return;
  throw new FreshetError(
    'TABLE_FEATURE_UNSUPPORTED',
    `The promoted table could not have what the live one has: ${features.join('; ')}.`,
    { features },
  );
}
