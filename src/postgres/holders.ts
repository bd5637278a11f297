import type { Session } from './session.js';
import { withTransaction } from './session.js';

/**
 * Which run works on this API database. The lease in the state database keeps the runs of one state apart; this row keeps two state databases
 * apart that were pointed at one target, and tells a process that was thought dead that another one has taken its run over.
 */
export interface Holder {
  readonly runId: string;
  readonly environment: string;
  readonly media: string;
  /** Identity of the state database that knows the run. */
  readonly stateId: string;
  /** Of the process that executes the run now. */
  readonly host: string;
  readonly heldSince: Date;
  /** How long ago, by the server's clock, the process that executes the run gave its last sign of life, ms. */
  readonly silentMs: number;
}

export interface HolderRequest extends Omit<Holder, 'heldSince' | 'silentMs'> {
  /** Of this process' leadership; a later one replaces it. */
  readonly token: string;
  /** Rows of this state whose run is over are left by a process that died in between: they do not count. */
  readonly isRunOver: (runId: string) => Promise<boolean>;
}

const columns = `run_id as "runId", environment, media, state_id as "stateId", host, held_since as "heldSince",
  extract(epoch from clock_timestamp() - seen_at)::float8 * 1000 as "silentMs"`;

/**
 * Takes the API database for a run (`ensureMarks` was called before); its own row again with the token of this process. Runs of the same
 * state database do not stand in each other's way here: the lease decides between them.
 * @returns null when the run has it now, else who has it.
 */
export async function tryHold(session: Session, request: HolderRequest): Promise<Holder | null> {
  return withTransaction(session, async () => {
    await session.query('lock table freshet.holders in share row exclusive mode');
    const { rows } = await session.query<Holder>(
      `select ${columns} from freshet.holders where run_id <> $1 order by held_since`,
      [request.runId],
    );
    for (const holder of rows) {
      if (holder.stateId !== request.stateId) return holder;
      if (await request.isRunOver(holder.runId)) await releaseHold(session, holder.runId);
    }
    await session.query(
      `insert into freshet.holders (run_id, environment, media, state_id, host, token) values ($1, $2, $3, $4, $5, $6)
       on conflict (run_id) do update set host = excluded.host, token = excluded.token, seen_at = clock_timestamp()`,
      [request.runId, request.environment, request.media, request.stateId, request.host, request.token],
    );
    return null;
  });
}

/** Belongs to the run's clean-up. Releasing what is not held is harmless. */
export async function releaseHold(session: Session, runId: string): Promise<void> {
  await session.query('delete from freshet.holders where run_id = $1', [runId]);
}

/** The sign of life of the process that executes the run; another one may have taken it over, whose row it is then. */
export async function markSeen(session: Session, runId: string, token: string): Promise<void> {
  await session.query(
    'update freshet.holders set seen_at = clock_timestamp() where run_id = $1 and token = $2',
    [runId, token],
  );
}

/** Who holds this API database; empty also where freshet has never been. */
export async function listHolders(session: Session): Promise<Holder[]> {
  const { rows: table } = await session.query<{ there: boolean }>(
    `select to_regclass('freshet.holders') is not null as there`,
  );
  if (table[0]?.there !== true) return [];
  const { rows } = await session.query<Holder>(`select ${columns} from freshet.holders order by held_since`);
  return rows;
}

/**
 * Whether this process still has the run, in the caller's transaction: nobody can take it over before that ends.
 */
export async function isHeldBy(session: Session, runId: string, token: string): Promise<boolean> {
  const { rows } = await session.query(
    'select 1 from freshet.holders where run_id = $1 and token = $2 for share',
    [runId, token],
  );
  return rows.length === 1;
}
