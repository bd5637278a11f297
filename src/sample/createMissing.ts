import type { Session } from '../postgres/session.js';

/** A table or view of the schema `public` and the statements that make it, its indexes and keys. */
export interface Relation {
  readonly name: string;
  readonly statements: readonly string[];
}

/** Makes the relations that do not exist; those that exist are left as they are, whatever they look like. All or nothing. */
export async function createMissing(session: Session, relations: readonly Relation[]): Promise<void> {
  const names = relations.map((relation) => relation.name);
  const { rows } = await session.query<{ name: string }>(
    `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relname = any($1::text[])`,
    [names],
  );
  const present = new Set(rows.map((row) => row.name));
  const missing = relations.filter((relation) => !present.has(relation.name));
  if (missing.length === 0) return;
  // One text of several statements is one transaction, inside the caller's where there is one.
  await session.query(missing.flatMap((relation) => relation.statements).join(';\n'));
}
