import type { ClientBase } from 'pg';
import type { State } from './state.js';

/** Who holds an environment. */
export interface LeaseHolder {
  readonly runId: string;
  readonly definition: string;
  readonly media: string;
  readonly acquiredAt: Date;
}

/** What a run asks for. */
export interface LeaseRequest {
  readonly id: string;
  readonly environment: string;
  readonly media: string;
  readonly allowConcurrent: boolean;
}

/** The run that is in the way of this one now, or null: one that holds the environment, or waits for it since before this one was created. */
export async function findObstacle(
  db: Pick<ClientBase, 'query'>,
  run: LeaseRequest,
): Promise<LeaseHolder | null> {
  const { rows } = await db.query<LeaseHolder>(
    `select r.id as "runId", r.definition, r.media, coalesce(l.acquired_at, r.created_at) as "acquiredAt"
     from freshet.runs r left join freshet.leases l on l.run_id = r.id
     where r.environment = $1 and r.id <> $2 and (not $4 or r.media = $3)
       and (l.run_id is not null
         or (r.state = 'waiting' and (r.created_at, r.id) < (select created_at, id from freshet.runs where id = $2)
           and not exists (select 1 from freshet.leases own where own.run_id = $2)))
     order by l.acquired_at nulls last, r.created_at limit 1`,
    [run.environment, run.id, run.media, run.allowConcurrent],
  );
  return rows[0] ?? null;
}

/**
 * Tries to take the environment for a run. Runs are served in the order in which they were created; with `allowConcurrent` only a run of
 * the same media type is in the way. A lease has no time-out: it ends with its run (`endRun`).
 * Taking it again by the same run succeeds (a repeated step).
 * @returns null when the run holds it now, else the run that is in the way.
 */
export async function tryAcquireLease(state: State, run: LeaseRequest): Promise<LeaseHolder | null> {
  const client = await state.pool.connect();
  try {
    await client.query('begin');
    await client.query(`select pg_advisory_xact_lock(hashtextextended('freshet.lease ' || $1, 0))`, [
      run.environment,
    ]);
    const holder = await findObstacle(client, run);
    if (holder === null) {
      await client.query(
        `insert into freshet.leases (environment, media, run_id) values ($1, $2, $3) on conflict (run_id) do nothing`,
        [run.environment, run.media, run.id],
      );
    }
    await client.query('commit');
    return holder;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

export async function listLeases(
  state: State,
): Promise<{ environment: string; media: string; runId: string; acquiredAt: Date }[]> {
  const { rows } = await state.pool.query<{
    environment: string;
    media: string;
    runId: string;
    acquiredAt: Date;
  }>(
    `select environment, media, run_id as "runId", acquired_at as "acquiredAt" from freshet.leases order by 1, 2`,
  );
  return rows;
}
