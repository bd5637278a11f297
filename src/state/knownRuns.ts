import type { Pool, PoolClient } from 'pg';
import { version } from '../version.js';
import type { RunState } from './words.js';

/** What decides whether what a run made may be removed. */
export interface KnownRun {
  readonly id: string;
  readonly environment: string;
  readonly media: string;
  readonly state: RunState;
  readonly finishedAt: Date | null;
  /** Why it ended without success. */
  readonly errorCode: string | null;
  /** Something of it may be live. */
  readonly promotionBegan: boolean;
  /** Something of it is live, or was. */
  readonly wasPromoted: boolean;
  /** A run of the same tables began after it ended: it cannot be retried any more. */
  readonly isSuperseded: boolean;
}

/** A pool, or one session of it. */
export type StateReader = Pick<Pool, 'query'>;

/** Every run that this state knows, by its id. A run that is not here is not known to be over. */
export async function listKnownRuns(db: StateReader): Promise<Map<string, KnownRun>> {
  const { rows } = await db.query<KnownRun>(
    `select id, environment, media, state, finished_at as "finishedAt", error->>'code' as "errorCode",
       promotion_began_at is not null as "promotionBegan",
       exists (select from freshet.generations g where g.run_id = runs.id and g.promoted_at is not null) as "wasPromoted",
       coalesce(max(started_at) over (partition by environment, media) > finished_at, false) as "isSuperseded"
     from freshet.runs`,
  );
  return new Map(rows.map((run) => [run.id, run]));
}

/** A run of a state database that is gone, as the marks tell of it. */
export interface LostRun {
  readonly id: string;
  readonly environment: string;
  readonly media: string;
  readonly indexSuffix: string;
  /** Something of it is live, or was. */
  readonly wasPromoted: boolean;
}

/** Records runs of a lost state as over, so that live and previous can name theirs, and what others left may be removed. Known ones stay as they are. */
export async function recordLostRuns(
  client: Pick<PoolClient, 'query'>,
  runs: readonly LostRun[],
): Promise<void> {
  for (const { id, environment, media, indexSuffix, wasPromoted } of runs) {
    await client.query(
      `insert into freshet.runs (id, definition, environment, media, flow, parameters, state, finished_at, version)
       values ($1, $2, $3, $4, 'refresh', $5, $6, now(), $7) on conflict (id) do nothing`,
      [
        id,
        `${environment}_${media}_data_refresh`,
        environment,
        media,
        {
          indexSuffix,
          skipCopyData: false,
          allowConcurrent: false,
          recordLimit: null,
          originSuffix: null,
          destinationSuffix: null,
        },
        wasPromoted ? 'succeeded' : 'cancelled',
        version,
      ],
    );
  }
}
