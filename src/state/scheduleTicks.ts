import type { ClientBase } from 'pg';
import type { EventLevel } from './records.js';
import type { State } from './state.js';

/**
 * Until when the times that a schedule names are settled: fired, skipped, missed, or before the schedule was known. A tick is settled in the
 * transaction that adds its run, so that it is fired once whoever dies when.
 */
export interface ScheduleTicks {
  /** The state database's clock: two orchestrators' own may differ. */
  readonly now: Date;
  readonly settledUntil: ReadonlyMap<string, Date>;
}

/** Writes down the schedules in force. One that is new, or another than before, holds from now on: what it names before is settled. */
export async function knowSchedules(
  state: State,
  schedules: readonly { readonly definition: string; readonly schedule: string }[],
): Promise<void> {
  await state.pool.query(
    `insert into freshet.schedule_ticks as known (definition, schedule, settled_until)
     select definition, schedule, clock_timestamp() from unnest($1::text[], $2::text[]) as given (definition, schedule)
     on conflict (definition) do update
       set schedule = excluded.schedule, settled_until = greatest(known.settled_until, excluded.settled_until)
       where known.schedule <> excluded.schedule`,
    [schedules.map(({ definition }) => definition), schedules.map(({ schedule }) => schedule)],
  );
}

export async function readScheduleTicks(state: State): Promise<ScheduleTicks> {
  const { rows } = await state.pool.query<{ now: Date; definition: string | null; until: Date | null }>(
    `select clock_timestamp() as now, definition, settled_until as until
     from (select) as always left join freshet.schedule_ticks on true`,
  );
  const settledUntil = new Map<string, Date>();
  for (const { definition, until } of rows) {
    if (definition !== null && until !== null) settledUntil.set(definition, until);
  }
  return { now: rows[0]?.now ?? new Date(), settledUntil };
}

/** Settles a tick, in the caller's transaction. @returns false when it was settled before. */
export async function settleTick(client: ClientBase, definition: string, tick: Date): Promise<boolean> {
  const { rowCount } = await client.query(
    'update freshet.schedule_ticks set settled_until = $2 where definition = $1 and settled_until < $2',
    [definition, tick],
  );
  return rowCount === 1;
}

/** Settles ticks that no run is added for, and says why, once. @returns false when they were settled before. */
export async function passOverTicks(
  state: State,
  definition: string,
  until: Date,
  event: { readonly level: EventLevel; readonly kind: string; readonly message: string },
): Promise<boolean> {
  const { rowCount } = await state.pool.query(
    `with settled as (
       update freshet.schedule_ticks set settled_until = $2 where definition = $1 and settled_until < $2 returning 1)
     insert into freshet.events (level, kind, message, details)
     select $3, $4, $5, jsonb_build_object('definition', $1::text) from settled`,
    [definition, until, event.level, event.kind, event.message],
  );
  return rowCount === 1;
}
