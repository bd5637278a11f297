import type { Session } from '../session.js';
import type { PublicationShape } from './types.js';

/** Column lists and row filters came with Postgres 15. */
const publicationQuery = (hasLists: boolean): string => `
  select p.oid, p.pubname as name,
    ${
      hasLists
        ? `case when r.prattrs is not null then array(
      select a.attname::text from unnest(r.prattrs::int2[]) with ordinality u(num, position)
      join pg_attribute a on a.attrelid = r.prrelid and a.attnum = u.num order by u.position) end`
        : 'null::text[]'
    } as columns,
    ${hasLists ? 'pg_get_expr(r.prqual, r.prrelid)' : 'null'} as filter
  from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
  where r.prrelid = $1 order by p.pubname collate "C"`;

/** Reads the publications that name the table. Those for all tables, or all of a schema, do not. */
export async function readPublications(session: Session, tableOid: number): Promise<PublicationShape[]> {
  const { rows } = await session.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  );
  const hasLists = (rows[0]?.version ?? 0) >= 150_000;
  return (await session.query<PublicationShape>(publicationQuery(hasLists), [tableOid])).rows;
}
