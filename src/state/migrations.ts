import type { Pool, PoolClient } from 'pg';
import { migrationWaitMs } from '../limits.js';
import { hasSqlState } from '../postgres/lockRetry.js';
import { stateLocked } from './locked.js';

/** Numbered changes of our tables in the state database, applied in order, each once. Never edit one that was released: add another. */
const migrations: readonly string[] = [
  `
create table freshet.runs (
  id text primary key,
  definition text not null,
  environment text not null,
  media text not null,
  flow text not null,
  parameters jsonb not null,
  state text not null,
  error jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  version text not null
);
create unique index one_active_run on freshet.runs (definition) where finished_at is null;
create index runs_by_environment on freshet.runs (environment, created_at);
create table freshet.phases (
  run_id text not null references freshet.runs on delete cascade,
  ordinal int not null,
  name text not null,
  state text not null,
  started_at timestamptz,
  finished_at timestamptz,
  progress_done bigint not null default 0,
  progress_total bigint,
  unit text,
  result jsonb,
  primary key (run_id, name)
);
create table freshet.slices (
  run_id text not null references freshet.runs on delete cascade,
  ordinal int not null,
  kind text not null,
  range_start bigint not null,
  range_end bigint not null,
  state text not null default 'pending',
  attempt int not null default 0,
  worker_id text,
  counts jsonb,
  claimed_at timestamptz,
  done_at timestamptz,
  primary key (run_id, ordinal)
);
create table freshet.workers (
  run_id text not null references freshet.runs on delete cascade,
  id text not null,
  fleet text not null,
  state text not null,
  url text,
  pid int,
  version text,
  document_digest text,
  requested_at timestamptz not null default now(),
  gone_at timestamptz,
  primary key (run_id, id)
);
create table freshet.leases (
  environment text not null,
  media text not null,
  run_id text not null unique references freshet.runs,
  acquired_at timestamptz not null default now(),
  primary key (environment, media)
);
create table freshet.generations (
  id text primary key,
  environment text not null,
  media text not null,
  run_id text not null references freshet.runs,
  state text not null,
  tables jsonb not null,
  main_index text not null,
  filtered_index text not null,
  created_at timestamptz not null default now(),
  promoted_at timestamptz,
  gone_at timestamptz
);
create index generations_by_media on freshet.generations (environment, media, created_at);
create table freshet.counts (
  run_id text not null references freshet.runs on delete cascade,
  moment text not null,
  source text not null,
  rows bigint not null,
  primary key (run_id, moment, source)
);
create table freshet.checks (
  run_id text not null references freshet.runs on delete cascade,
  name text not null,
  passed boolean not null,
  expected text not null,
  found text not null,
  detail text,
  checked_at timestamptz not null default now(),
  primary key (run_id, name)
);
create table freshet.rejects (
  run_id text not null references freshet.runs on delete cascade,
  document_id text not null,
  reason text not null,
  primary key (run_id, document_id)
);
create table freshet.filtered_ranges (
  run_id text not null references freshet.runs on delete cascade,
  range_start bigint not null,
  range_end bigint not null,
  documents bigint not null,
  terms_digest text not null,
  primary key (run_id, range_start)
);
create table freshet.events (
  id bigint generated always as identity primary key,
  run_id text references freshet.runs on delete cascade,
  at timestamptz not null default clock_timestamp(),
  level text not null,
  kind text not null,
  message text not null,
  details jsonb
);
create index events_by_run on freshet.events (run_id, id);
`,
  `
create table freshet.identity (
  single boolean primary key default true check (single),
  id uuid not null default gen_random_uuid()
);
insert into freshet.identity default values;
create table freshet.orchestrator (
  single boolean primary key default true check (single),
  token text not null,
  host text not null,
  pid int not null,
  process text not null,
  backend_pid int not null,
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null
);
alter table freshet.runs
  add column attempt int not null default 1,
  add column cancel_requested_at timestamptz;
create table freshet.paused (
  definition text primary key,
  paused_at timestamptz not null default now()
);
create table freshet.schedule_ticks (
  definition text primary key,
  schedule text not null,
  settled_until timestamptz not null
);
`,
  `
alter table freshet.runs add column promotion_began_at timestamptz;
update freshet.runs set promotion_began_at = now() where state = 'promoting';
`,
  `
alter table freshet.workers
  add column host text,
  add column process_started text;
create table freshet.differences (
  environment text not null,
  media text not null,
  subject text not null,
  expected text not null,
  found text not null,
  remedy text not null,
  since timestamptz not null default now(),
  primary key (environment, media, subject)
);
`,
];

/** Brings our tables to the newest version. Two processes that start at once take turns (advisory lock). */
export async function migrateState(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await lockMigrations(client);
    await client.query(`create schema if not exists freshet`);
    await client.query(
      `create table if not exists freshet.migrations (version int primary key, applied_at timestamptz not null default now())`,
    );
    const { rows } = await client.query<{ version: number }>(
      `select coalesce(max(version), 0) as version from freshet.migrations`,
    );
    for (let index = rows[0]?.version ?? 0; index < migrations.length; index += 1) {
      await client.query(migrations[index] ?? '');
      await client.query('insert into freshet.migrations (version) values ($1)', [index + 1]);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

async function lockMigrations(client: PoolClient): Promise<void> {
  await client.query(`set local lock_timeout = ${migrationWaitMs}`);
  try {
    await client.query(`savepoint unlocked`);
    await client.query(`select pg_advisory_xact_lock(hashtextextended('freshet.migrations', 0))`);
  } catch (error) {
    if (!hasSqlState(error, '55P03')) throw error;
    await client.query('rollback to savepoint unlocked');
    throw await stateLocked(client);
  }
  await client.query('set local lock_timeout = 0');
}
