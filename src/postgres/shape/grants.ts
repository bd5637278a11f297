import { quoteIdentifier, quoteQualified, type QualifiedName } from '../identifiers.js';
import type { Session } from '../session.js';
import type { Grant } from './types.js';

/** Reads who may do what with the table and its columns. The grantor is no part of it: whoever carries a right grants it as the owner. */
export async function readGrants(session: Session, oid: number): Promise<Grant[]> {
  const { rows } = await session.query<Grant>(
    `select distinct g."column", r.rolname::text as grantee, g.privilege, bool_or(g.grantable) as grantable from (
       select null::text as "column", x.grantee, x.privilege_type as privilege, x.is_grantable as grantable
         from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid = $1
       union all
       select a.attname::text, x.grantee, x.privilege_type, x.is_grantable
         from pg_attribute a, aclexplode(a.attacl) x where a.attrelid = $1 and not a.attisdropped) g
     left join pg_roles r on r.oid = g.grantee
     group by g."column", r.rolname, g.privilege
     order by 1 nulls first, 2 nulls first, 3`,
    [oid],
  );
  return rows;
}

function keyOf({ column, grantee, privilege }: Grant): string {
  return JSON.stringify([column, grantee, privilege]);
}

function rightOn({ column, privilege }: Grant): string {
  return column === null ? privilege : `${privilege} (${quoteIdentifier(column)})`;
}

function roleOf({ grantee }: Grant): string {
  return grantee === null ? 'public' : quoteIdentifier(grantee);
}

/** The statements that turn the rights on a table or sequence from `current` into exactly `wanted`. Pure. */
export function grantStatements(
  name: QualifiedName,
  current: readonly Grant[],
  wanted: readonly Grant[],
  kind: 'table' | 'sequence' = 'table',
): string[] {
  const on = `${kind} ${quoteQualified(name)}`;
  const currentByKey = new Map(current.map((grant) => [keyOf(grant), grant]));
  const wantedByKey = new Map(wanted.map((grant) => [keyOf(grant), grant]));
  const revoked = current.filter((grant) => {
    const kept = wantedByKey.get(keyOf(grant));
    return kept === undefined || (grant.grantable && !kept.grantable);
  });
  const granted = wanted.filter((grant) => {
    const had = currentByKey.get(keyOf(grant));
    return had === undefined || had.grantable !== grant.grantable;
  });
  return [
    ...revoked.map((grant) => `revoke ${rightOn(grant)} on ${on} from ${roleOf(grant)}`),
    ...granted.map(
      (grant) =>
        `grant ${rightOn(grant)} on ${on} to ${roleOf(grant)}${grant.grantable ? ' with grant option' : ''}`,
    ),
  ];
}
