import type { Session } from './session.js';

/**
 * Our own schema in the API database. `parts`: one row per object that a run created (the *mark*), written in the transaction that creates
 * the object. Only objects with a mark whose run is known to be over are ever dropped; live and previous are known from it even when the
 * state database is lost. `applied`: which identifiers of the deleted-media and sensitive-media tables a run has taken into account, so
 * that what API writers changed since is a difference of sets. `swaps`: one row per promotion, written in the swap transaction: a second
 * try sees it and does nothing.
 */
const schemaStatements = `
create schema if not exists freshet;
create table if not exists freshet.parts (
  oid oid primary key,
  schema_name text not null,
  live_name text not null,
  kind text not null,
  run_id text not null,
  media text not null,
  role text not null check (role in ('candidate', 'live', 'previous')),
  snapshot_at timestamptz,
  version text not null,
  created_at timestamptz not null default now()
);
create table if not exists freshet.applied (
  run_id text not null,
  relation text not null,
  identifier uuid not null,
  primary key (run_id, relation, identifier)
);
create table if not exists freshet.swaps (
  run_id text primary key,
  media text not null,
  swapped_at timestamptz not null default clock_timestamp(),
  record jsonb not null
);
`;

/** Creates our schema in the API database where it is missing. Safe to run beside itself. */
export async function ensureMarks(session: Session): Promise<void> {
  await session.query('begin');
  try {
    await session.query(`select pg_advisory_xact_lock(hashtextextended('freshet.marks', 0))`);
    await session.query(schemaStatements);
    await session.query('commit');
  } catch (error) {
    await session.query('rollback').catch(() => undefined);
    throw error;
  }
}
