import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';

/**
 * The mark of an object that a run made. `name` is what it is called now: an object whose name is another than its mark says is not
 * touched (oids come round again after four thousand million).
 */
export interface Part {
  readonly oid: number;
  readonly name: QualifiedName;
  /** The live name of the table that it was made for. */
  readonly liveName: string;
  /** `orphans`: rows of another table whose record vanished in a swap, kept aside. */
  readonly kind: 'table' | 'orphans';
  readonly runId: string;
  readonly media: string;
  readonly role: 'candidate' | 'live' | 'previous';
  /** When the catalog's snapshot was taken; null where the rows are not from the catalog. */
  readonly snapshotAt: Date | null;
  /** Of the freshet that made it. */
  readonly version: string;
}

/** The run in the mark of a table that was live before freshet. */
export const unmarkedRunId = 'unmarked';

/**
 * Our own schema in the API database. `parts`: one row per object that a run created (the *mark*), written in the transaction that creates
 * the object. Only objects with a mark whose run is known to be over are ever dropped; live and previous are known from it even when the
 * state database is lost. `applied`: which identifiers of the deleted-media and sensitive-media tables a run has taken into account, so
 * that what API writers changed since is a difference of sets. `removed`: rows that left the table because API writers deleted them, until their documents are gone
 * too. `swaps`: one row per promotion of tables, written in the swap transaction: a second try sees it and does nothing. `promotions`: one row
 * per promotion that is complete, aliases included: which tables and indexes went live together. `holders`: which run works on this database.
 */
const schemaStatements = `
create schema if not exists freshet;
create table if not exists freshet.parts (
  oid oid primary key,
  schema_name text not null,
  name text not null,
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
create table if not exists freshet.removed (
  run_id text not null,
  identifier uuid not null,
  id bigint not null,
  primary key (run_id, identifier)
);
create table if not exists freshet.swaps (
  run_id text primary key,
  media text not null,
  swapped_at timestamptz not null default clock_timestamp(),
  record jsonb not null
);
create table if not exists freshet.promotions (
  run_id text primary key,
  media text not null,
  promoted_at timestamptz not null default clock_timestamp(),
  tables jsonb not null,
  main_index text not null,
  filtered_index text not null,
  gone_at timestamptz
);
create table if not exists freshet.holders (
  run_id text primary key,
  environment text not null,
  media text not null,
  state_id text not null,
  host text not null,
  token text not null,
  held_since timestamptz not null default now(),
  seen_at timestamptz not null default clock_timestamp()
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

const partColumns = `p.oid, p.schema_name as schema, p.name as relname, p.live_name as "liveName", p.kind, p.run_id as "runId", p.media,
  p.role, p.snapshot_at as "snapshotAt", p.version`;

/** Only objects that are still there under the marked name. */
const existing = `from freshet.parts p join pg_class c on c.oid = p.oid and c.relname = p.name
  join pg_namespace n on n.oid = c.relnamespace and n.nspname = p.schema_name`;

interface PartRow extends Omit<Part, 'name'> {
  schema: string;
  relname: string;
}

function toPart({ schema, relname, ...part }: PartRow): Part {
  return { ...part, name: { schema, name: relname } };
}

/** The marks of a media type, or of all (null), whose objects are there under the marked name. */
export async function listParts(session: Session, media: string | null): Promise<Part[]> {
  const { rows } = await session.query<PartRow>(
    `select ${partColumns} ${existing} where $1::text is null or p.media = $1 order by p.created_at, p.oid`,
    [media],
  );
  return rows.map(toPart);
}

/** Whether freshet has ever been in this API database; where it has not, none of its tables can be read. */
export async function hasMarks(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ there: boolean }>(
    `select to_regclass('freshet.promotions') is not null as there`,
  );
  return rows[0]?.there === true;
}

/** The mark of the object `oid`, or null where it has none that fits it. */
export async function readPart(session: Session, oid: number): Promise<Part | null> {
  const { rows } = await session.query<PartRow>(`select ${partColumns} ${existing} where p.oid = $1`, [oid]);
  const [row] = rows;
  return row === undefined ? null : toPart(row);
}

/** Marks an object; belongs into the transaction that makes or renames it. A mark that is there already is replaced. */
export async function writePart(session: Session, part: Part): Promise<void> {
  await session.query(
    `insert into freshet.parts (oid, schema_name, name, live_name, kind, run_id, media, role, snapshot_at, version)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (oid) do update set (schema_name, name, live_name, kind, run_id, media, role, snapshot_at, version) =
       (excluded.schema_name, excluded.name, excluded.live_name, excluded.kind, excluded.run_id, excluded.media, excluded.role,
        excluded.snapshot_at, excluded.version)`,
    [
      part.oid,
      part.name.schema,
      part.name.name,
      part.liveName,
      part.kind,
      part.runId,
      part.media,
      part.role,
      part.snapshotAt,
      part.version,
    ],
  );
}

/** Forgets marks; belongs into the transaction that drops the objects. */
export async function deleteParts(session: Session, oids: readonly number[]): Promise<void> {
  await session.query('delete from freshet.parts where oid = any($1::oid[])', [oids]);
}

/** Forgets the marks of objects that somebody else has dropped. */
export async function forgetVanished(session: Session): Promise<void> {
  await session.query(
    'delete from freshet.parts p where not exists (select from pg_class c where c.oid = p.oid)',
  );
}

/** Runs of which is known which deletions and sensitive marks they took into account. */
export async function listAppliedRuns(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ id: string }>(
    'select distinct run_id as id from freshet.applied union select distinct run_id from freshet.removed',
  );
  return rows.map(({ id }) => id);
}

/** Forgets which deletions and sensitive marks runs took into account: what they made is gone. */
export async function forgetRuns(session: Session, runIds: readonly string[]): Promise<void> {
  await session.query('delete from freshet.applied where run_id = any($1::text[])', [runIds]);
  await session.query('delete from freshet.removed where run_id = any($1::text[])', [runIds]);
}
