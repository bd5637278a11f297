import { quoteQualified, type QualifiedName } from '../../../src/postgres/identifiers.js';
import type { Session } from '../../../src/postgres/session.js';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import { readDocuments } from './expectations.js';
import { readTableShape } from './tableShape.js';

/** What users of a database find in it: tables (their oids, shape, digest of their rows), views, positions of sequences. */
export type DatabaseState = Readonly<Record<string, unknown>>;

/** Everything that a refresh which ends without promotion must leave as it was. */
export interface LiveState {
  readonly catalog: DatabaseState;
  readonly api: DatabaseState;
  /** Public alias → index and documents. */
  readonly aliases: Readonly<Record<string, unknown>>;
}

export async function readLiveState(local: LocalEnvironment): Promise<LiveState> {
  return {
    catalog: await local.withCatalog(readDatabaseState),
    api: await local.withApi(readDatabaseState),
    aliases: await readAliases(local),
  };
}

/** Leaves out what is nobody's but freshet's: its schema and its temp tables. */
export async function readDatabaseState(session: Session): Promise<DatabaseState> {
  const { rows } = await session.query<QualifiedName & { oid: string; kind: string }>(
    `select n.nspname::text as schema, c.relname::text as name, c.oid::text as oid, c.relkind::text as kind
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'freshet')
       and n.nspname not like 'pg\\_toast%' and c.relname not like 'temp\\_import\\_%' order by 1, 2`,
  );
  const state: Record<string, unknown> = {};
  for (const { schema, name, oid, kind } of rows) {
    const relation = quoteQualified({ schema, name });
    state[`${schema}.${name}`] = { oid, ...(await readContent(session, relation, kind)) };
  }
  return state;
}

async function readContent(session: Session, relation: string, kind: string): Promise<object> {
  if (kind === 'v') return {};
  if (kind === 'S') {
    const { rows } = await session.query<object>(`select last_value, is_called from ${relation}`);
    return rows[0] ?? {};
  }
  const { rows } = await session.query<object>(
    `select count(*) as rows, md5(string_agg(t::text, e'\\n' order by t::text)) as digest from ${relation} t`,
  );
  return { ...rows[0], shape: await readTableShape(session, relation) };
}

async function readAliases(local: LocalEnvironment): Promise<Record<string, unknown>> {
  const state: Record<string, unknown> = {};
  for (const [index, aliases] of Object.entries(await local.indexes())) {
    for (const alias of aliases) {
      if (alias.startsWith('freshet-write-')) continue;
      state[alias] = { index, documents: await readDocuments(local, alias) };
    }
  }
  return state;
}
