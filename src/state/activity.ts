import type { Session } from '../postgres/session.js';
import type { Flow, RunState } from './words.js';

/** What a state database says about the runs of an environment, read without changing anything (no migration: an older or newer release may own it). */
export interface StateActivity {
  /** Identity of the state database, as it is written where its runs hold something. */
  readonly stateId: string;
  /** Runs that are not over, held ones included, in the order in which they were added. */
  readonly runs: readonly UnfinishedRun[];
}

export interface UnfinishedRun {
  readonly id: string;
  readonly definition: string;
  readonly media: string;
  readonly flow: Flow;
  readonly state: RunState;
  readonly attempt: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  /** How long the last successful runs of the definition took from their start to their end, ms; the newest first. */
  readonly earlierMs: readonly number[];
}

/** @returns null where the database has no tables of freshet. */
export async function readActivity(
  session: Session,
  environment: string,
  earlierRunsMax: number,
): Promise<StateActivity | null> {
  const { rows: tables } = await session.query<{ there: boolean }>(
    `select to_regclass('freshet.runs') is not null as there`,
  );
  if (tables[0]?.there !== true) return null;
  const { rows: identity } = await session.query<{ id: string }>('select id from freshet.identity');
  const stateId = identity[0]?.id;
  if (stateId === undefined) throw new Error('the state database has no identity');
  // A run that was retried also counts the time in which nobody worked on it.
  const { rows: runs } = await session.query<UnfinishedRun>(
    `select r.id, r.definition, r.media, r.flow, r.state, r.attempt, r.created_at as "createdAt", r.started_at as "startedAt",
       array(
         select (extract(epoch from e.finished_at - e.started_at) * 1000)::float8 from freshet.runs e
         where e.definition = r.definition and e.state = 'succeeded' and e.attempt = 1 and e.started_at is not null
         order by e.finished_at desc limit $2) as "earlierMs"
     from freshet.runs r where r.environment = $1 and r.finished_at is null order by r.created_at, r.id`,
    [environment, earlierRunsMax],
  );
  return { stateId, runs };
}

/** Which of these runs the state knows as over. */
export async function listOver(session: Session, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await session.query<{ id: string }>(
    'select id from freshet.runs where id = any($1::text[]) and finished_at is not null',
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}
