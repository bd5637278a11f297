import type { ClientBase } from 'pg';
import type { State } from './state.js';
import type { SliceState } from './words.js';

/** What a worker reports of a slice. `read` = indexed + removed + deleted + rejected, always (I3). */
export interface SliceCounts {
  readonly read: number;
  readonly removed: number;
  readonly deleted: number;
  readonly indexed: number;
  readonly rejected: number;
  readonly datesLeftOut: number;
}

/** A part of the table: `blocks` = [start, end) of heap blocks, `ids` = start to end inclusive. */
export interface SliceRange {
  readonly kind: 'blocks' | 'ids';
  readonly start: number;
  readonly end: number;
}

export interface Slice extends SliceRange {
  readonly ordinal: number;
  readonly state: SliceState;
  readonly attempt: number;
  readonly workerId: string | null;
  readonly counts: SliceCounts | null;
}

/** Writes the run's slices once; a repeated step finds them there and keeps them, so that what is done stays done. */
export async function planSlices(state: State, runId: string, ranges: readonly SliceRange[]): Promise<void> {
  await state.pool.query(
    `insert into freshet.slices (run_id, ordinal, kind, range_start, range_end)
     select $1, ordinal, kind, range_start, range_end
     from unnest($2::text[], $3::bigint[], $4::bigint[]) with ordinality as planned (kind, range_start, range_end, ordinal)
     where not exists (select 1 from freshet.slices where run_id = $1)`,
    [runId, ranges.map((r) => r.kind), ranges.map((r) => r.start), ranges.map((r) => r.end)],
  );
}

const columns = `ordinal, kind, range_start as start, range_end as "end", state, attempt, worker_id as "workerId", counts`;

export async function listSlices(state: State, runId: string): Promise<Slice[]> {
  const { rows } = await state.pool.query<Slice>(
    `select ${columns} from freshet.slices where run_id = $1 order by ordinal`,
    [runId],
  );
  return rows;
}

/** Takes the next pending slice for a worker; null when none is pending. Two claimers never get the same one. */
export async function claimSlice(state: State, runId: string, workerId: string): Promise<Slice | null> {
  const { rows } = await state.pool.query<Slice>(
    `update freshet.slices set state = 'claimed', attempt = attempt + 1, worker_id = $2, claimed_at = now()
     where run_id = $1 and ordinal = (
       select ordinal from freshet.slices where run_id = $1 and state = 'pending' order by ordinal limit 1 for update skip locked)
     returning ${columns}`,
    [runId, workerId],
  );
  return rows[0] ?? null;
}

/** Records a slice as done. Only its present claim counts: an outcome of an older attempt changes nothing and returns false. */
export async function completeSlice(
  state: State,
  runId: string,
  slice: Slice,
  counts: SliceCounts,
): Promise<boolean> {
  const { rowCount } = await state.pool.query(
    `update freshet.slices set state = 'done', counts = $4, done_at = now()
     where run_id = $1 and ordinal = $2 and attempt = $3 and state = 'claimed'`,
    [runId, slice.ordinal, slice.attempt, counts],
  );
  return rowCount === 1;
}

/** Gives a claimed slice back to the pool. */
export async function releaseSlice(state: State, runId: string, slice: Slice): Promise<void> {
  await state.pool.query(
    `update freshet.slices set state = 'pending', worker_id = null
     where run_id = $1 and ordinal = $2 and attempt = $3 and state = 'claimed'`,
    [runId, slice.ordinal, slice.attempt],
  );
}

/** Gives every claimed slice back: at the (re)start of the reindex no worker of ours is alive. */
export async function releaseAllSlices(state: State, runId: string): Promise<void> {
  await state.pool.query(
    `update freshet.slices set state = 'pending', worker_id = null where run_id = $1 and state = 'claimed'`,
    [runId],
  );
}

/**
 * In the caller's transaction: what workers and tasks of the filtered index had done does not count any more where a phase that they belong to
 * is done again, from `from` on. New slices may be indexed by workers of another release.
 */
export async function forgetIndexed(client: ClientBase, runId: string, from: string): Promise<void> {
  const isAgain = (phase: string): string =>
    `(select ordinal from freshet.phases where run_id = $1 and name = $2)
       <= (select ordinal from freshet.phases where run_id = $1 and name = '${phase}')`;
  await client.query(`delete from freshet.slices where run_id = $1 and ${isAgain('reindex')}`, [runId, from]);
  await client.query(
    `update freshet.workers set document_digest = null where run_id = $1 and ${isAgain('reindex')}`,
    [runId, from],
  );
  await client.query(
    `delete from freshet.filtered_ranges where run_id = $1 and ${isAgain('filtered-index')}`,
    [runId, from],
  );
}

/**
 * Before another attempt, in its transaction: documents that were rejected may be accepted now (the operator corrected the records or the
 * builder). Those of slices that stay done were rejected for good.
 */
export async function forgetRejects(client: ClientBase, runId: string): Promise<void> {
  await client.query(
    `delete from freshet.rejects where run_id = $1
       and not exists (select from freshet.slices where run_id = $1 and state = 'done' and (counts->>'rejected')::bigint > 0)`,
    [runId],
  );
}

export interface SliceTotals extends SliceCounts {
  readonly slices: number;
  readonly done: number;
}

/** Sums over the slices that are done. */
export async function sumSlices(state: State, runId: string): Promise<SliceTotals> {
  const sum = (name: string): string => `coalesce(sum((counts->>'${name}')::bigint), 0)::bigint as "${name}"`;
  const { rows } = await state.pool.query<SliceTotals>(
    `select count(*) as slices, count(*) filter (where state = 'done') as done,
       ${['read', 'removed', 'deleted', 'indexed', 'rejected', 'datesLeftOut'].map(sum).join(', ')}
     from freshet.slices where run_id = $1`,
    [runId],
  );
  const totals = rows[0];
  if (!totals) throw new Error('an aggregate returned no row');
  return totals;
}
