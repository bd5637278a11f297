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
 * too. `swaps`: one row per promotion, written in the swap transaction: a second try sees it and does nothing. `holders`: which run works on
 * this database.
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
create table if not exists freshet.holders (
  run_id text primary key,
  environment text not null,
  media text not null,
  state_id text not null,
  host text not null,
  token text not null,
  held_since timestamptz not null default now()
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

/** The marks of a media type whose objects are there under the marked name. */
export async function listParts(session: Session, media: string): Promise<Part[]> {
  const { rows } = await session.query<PartRow>(
    `select ${partColumns} ${existing} where p.media = $1 order by p.created_at, p.oid`,
    [media],
  );
  return rows.map(toPart);
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

/** Forgets which deletions and sensitive marks a run took into account: what it made is gone. */
export async function forgetRun(session: Session, runId: string): Promise<void> {
  await ensureMarks(session);
  await session.query('delete from freshet.applied where run_id = $1', [runId]);
  await session.query('delete from freshet.removed where run_id = $1', [runId]);
}
