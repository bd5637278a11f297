import type { State } from './state.js';

/** Rows per source at a moment of a run. Sources are data (`constructor`, `__proto__`): look them up with `Object.hasOwn` or a `Map`. */
export type CountsBySource = Readonly<Record<string, number>>;

/** `before`, `after`: documents per source. `applied`: deletions that the run took into account at its start, by deleted-media table. */
export type CountedMoment = 'before' | 'after' | 'applied';

/** Replaces the run's counts of this moment. */
export async function recordCounts(
  state: State,
  runId: string,
  moment: CountedMoment,
  counts: CountsBySource,
): Promise<void> {
  const entries = Object.entries(counts);
  await state.pool.query(
    `with gone as (delete from freshet.counts where run_id = $1 and moment = $2 and source <> all ($3::text[]))
     insert into freshet.counts (run_id, moment, source, rows)
     select $1, $2, source, rows from unnest($3::text[], $4::bigint[]) as c (source, rows)
     on conflict (run_id, moment, source) do update set rows = excluded.rows`,
    [runId, moment, entries.map(([source]) => source), entries.map(([, rows]) => rows)],
  );
}

/** The counts of this moment; the object has no prototype, so that a source which is not there is `undefined` whatever its name. */
export async function readCounts(
  state: State,
  runId: string,
  moment: CountedMoment,
): Promise<CountsBySource> {
  const { rows } = await state.pool.query<{ source: string; rows: number }>(
    'select source, rows from freshet.counts where run_id = $1 and moment = $2',
    [runId, moment],
  );
  const counts = Object.create(null) as Record<string, number>;
  for (const row of rows) counts[row.source] = row.rows;
  return counts;
}

/** One comparison of the gate: what was expected, what was found. */
export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly expected: string;
  readonly found: string;
  readonly detail: string | null;
}

/** Replaces the run's checks. */
export async function recordChecks(state: State, runId: string, checks: readonly Check[]): Promise<void> {
  await state.pool.query(
    `with gone as (delete from freshet.checks where run_id = $1 and name <> all (select jsonb_array_elements($2::jsonb)->>'name'))
     insert into freshet.checks (run_id, name, passed, expected, found, detail)
     select $1, name, passed, expected, found, detail
     from jsonb_to_recordset($2::jsonb) as c (name text, passed boolean, expected text, found text, detail text)
     on conflict (run_id, name) do update set passed = excluded.passed, expected = excluded.expected,
       found = excluded.found, detail = excluded.detail, checked_at = now()`,
    [runId, JSON.stringify(checks)],
  );
}

export async function listChecks(state: State, runId: string): Promise<Check[]> {
  const { rows } = await state.pool.query<Check>(
    'select name, passed, expected, found, detail from freshet.checks where run_id = $1 order by checked_at, name',
    [runId],
  );
  return rows;
}

export interface Reject {
  readonly id: string;
  readonly reason: string;
}

export async function recordRejects(state: State, runId: string, rejects: readonly Reject[]): Promise<void> {
  await state.pool.query(
    `insert into freshet.rejects (run_id, document_id, reason)
     select distinct on (id) $1, id, reason from unnest($2::text[], $3::text[]) as r (id, reason)
     on conflict (run_id, document_id) do update set reason = excluded.reason`,
    [runId, rejects.map((r) => r.id), rejects.map((r) => r.reason)],
  );
}

export async function listRejects(state: State, runId: string, limit: number): Promise<Reject[]> {
  const { rows } = await state.pool.query<Reject>(
    'select document_id as id, reason from freshet.rejects where run_id = $1 order by document_id limit $2',
    [runId, limit],
  );
  return rows;
}

/** The ids of all documents that the run has recorded as rejected. */
export async function listRejectedIds(state: State, runId: string): Promise<string[]> {
  const { rows } = await state.pool.query<{ id: string }>(
    'select document_id as id from freshet.rejects where run_id = $1 order by document_id',
    [runId],
  );
  return rows.map((row) => row.id);
}

export type EventLevel = 'info' | 'warning' | 'error';

export interface RunEvent {
  readonly id: number;
  readonly runId: string | null;
  readonly at: Date;
  readonly level: EventLevel;
  readonly kind: string;
  readonly message: string;
}

/** Appends an event: what an operator would want to read afterwards. Never a secret. */
export async function recordEvent(
  state: State,
  event: {
    runId: string | null;
    level: EventLevel;
    kind: string;
    message: string;
    details?: Record<string, unknown>;
  },
): Promise<void> {
  await state.pool.query(
    'insert into freshet.events (run_id, level, kind, message, details) values ($1, $2, $3, $4, $5)',
    [event.runId, event.level, event.kind, event.message, event.details ?? null],
  );
}

/** Events of a run after the one with id `afterId`, oldest first. */
export async function listEvents(state: State, runId: string, afterId: number): Promise<RunEvent[]> {
  const { rows } = await state.pool.query<RunEvent>(
    `select id, run_id as "runId", at, level, kind, message from freshet.events where run_id = $1 and id > $2 order by id`,
    [runId, afterId],
  );
  return rows;
}

/** Events of all runs, and of none, after the one with id `afterId`, oldest first. */
export async function listAllEvents(state: State, afterId: number): Promise<RunEvent[]> {
  const { rows } = await state.pool.query<RunEvent>(
    `select id, run_id as "runId", at, level, kind, message from freshet.events where id > $1 order by id`,
    [afterId],
  );
  return rows;
}

/** Forgets events that belong to no run and are older than `days`. Those of runs are part of their record. */
export async function pruneEvents(state: State, days: number): Promise<void> {
  await state.pool.query(
    'delete from freshet.events where run_id is null and at < now() - make_interval(days => $1)',
    [days],
  );
}

/** Id of the newest event; 0 = there is none. */
export async function readNewestEventId(state: State): Promise<number> {
  const { rows } = await state.pool.query<{ id: number }>(
    'select coalesce(max(id), 0)::bigint as id from freshet.events',
  );
  return rows[0]?.id ?? 0;
}

/** The newest events that somebody should know of: warnings, failures, and what the orchestrator did without being asked. The newest first. */
export async function listNotableEvents(state: State, limit: number): Promise<RunEvent[]> {
  const { rows } = await state.pool.query<RunEvent>(
    `select id, run_id as "runId", at, level, kind, message from freshet.events
     where level <> 'info' or run_id is null order by id desc limit $1`,
    [limit],
  );
  return rows;
}

/** A range of ids (inclusive) that is in the filtered index. */
export interface FilteredRange {
  readonly startId: number;
  readonly endId: number;
  readonly documents: number;
  /** Digest of the term list that was applied. */
  readonly termsDigest: string;
}

/** Records that a range is done, so that a resumed run does not copy it again. */
export async function recordFilteredRange(state: State, runId: string, range: FilteredRange): Promise<void> {
  await state.pool.query(
    `insert into freshet.filtered_ranges (run_id, range_start, range_end, documents, terms_digest) values ($1, $2, $3, $4, $5)
     on conflict (run_id, range_start) do update set range_end = excluded.range_end, documents = excluded.documents,
       terms_digest = excluded.terms_digest`,
    [runId, range.startId, range.endId, range.documents, range.termsDigest],
  );
}

/** Ranges that are done with this list of terms. */
export async function listFilteredRanges(
  state: State,
  runId: string,
  termsDigest: string,
): Promise<FilteredRange[]> {
  const { rows } = await state.pool.query<FilteredRange>(
    `select range_start as "startId", range_end as "endId", documents, terms_digest as "termsDigest"
     from freshet.filtered_ranges where run_id = $1 and terms_digest = $2 order by range_start`,
    [runId, termsDigest],
  );
  return rows;
}

/** Whether the run's filtered index was made with a list of terms, and not with this one. */
export async function hasOtherTerms(state: State, runId: string, termsDigest: string): Promise<boolean> {
  const { rows } = await state.pool.query<{ other: boolean }>(
    `select count(*) > 0 and bool_and(terms_digest <> $2) as other from freshet.filtered_ranges where run_id = $1`,
    [runId, termsDigest],
  );
  return rows[0]?.other === true;
}
