import type { Session } from './session.js';
import type { SwapRecord } from './swapRecord.js';

/** What went live together, as the API database remembers it: enough to know live and previous when the state database is lost. */
export interface Promotion {
  readonly runId: string;
  readonly media: string;
  readonly promotedAt: Date;
  /** Downstream table name → oid. */
  readonly tables: Readonly<Record<string, number>>;
  readonly mainIndex: string;
  readonly filteredIndex: string;
  /** When it was removed, as far as no other generation shares its parts; null = it is live or previous. */
  readonly goneAt: Date | null;
}

/** Records a promotion when its aliases have followed; a repeated step changes nothing. */
export async function recordServed(
  session: Session,
  { runId, media, tables, mainIndex, filteredIndex }: Omit<Promotion, 'promotedAt' | 'goneAt'>,
): Promise<void> {
  await session.query(
    `insert into freshet.promotions (run_id, media, tables, main_index, filtered_index, promoted_at)
     values ($1, $2, $3, $4, $5, ${afterAllBefore('$2')}) on conflict (run_id) do nothing`,
    [runId, media, tables, mainIndex, filteredIndex],
  );
}

/**
 * Records that a generation is live again since swap or alias move of a rollback; what was live is previous then. Repeated it changes nothing.
 */
export async function recordServedAgain(session: Session, runId: string, media: string): Promise<void> {
  await session.query(
    `update freshet.promotions p set promoted_at = ${afterAllBefore('$2')}, gone_at = null
     where run_id = $1 and (
       exists (select from freshet.promotions other where other.media = $2 and other.promoted_at > p.promoted_at)
       or exists (select from freshet.swaps s where s.media = $2 and s.swapped_at > p.promoted_at))`,
    [runId, media],
  );
}

/** The order of swaps and promotions says what is live: a clock that was set back must not change it. */
const afterAllBefore = (media: string): string =>
  `greatest(clock_timestamp(), (select max(swapped_at) from freshet.swaps where media = ${media}),
     (select max(promoted_at) + interval '1 microsecond' from freshet.promotions where media = ${media}))`;

/** These generations are kept no longer. */
export async function recordUnserved(session: Session, runIds: readonly string[]): Promise<void> {
  await session.query(
    'update freshet.promotions set gone_at = now() where run_id = any($1::text[]) and gone_at is null',
    [runIds],
  );
}

/** All promotions of a media type, newest first. */
export async function listPromotions(session: Session, media: string): Promise<Promotion[]> {
  const { rows } = await session.query<Promotion>(
    `select run_id as "runId", media, promoted_at as "promotedAt", tables, main_index as "mainIndex", filtered_index as "filteredIndex",
       gone_at as "goneAt"
     from freshet.promotions where media = $1 order by promoted_at desc`,
    [media],
  );
  return rows;
}

/** The newest swap of tables of a media type. */
export interface NewestSwap {
  readonly record: SwapRecord;
  /** Whether the aliases have followed (`recordServed`, `recordServedAgain`). */
  readonly isFinished: boolean;
  /** Since its commit, ms of the server's clock. */
  readonly ageMs: number;
}

/** The newest swap of each media type. */
export async function listNewestSwaps(session: Session): Promise<NewestSwap[]> {
  const { rows } = await session.query<NewestSwap>(
    `select distinct on (s.media) s.record,
       exists (select from freshet.promotions p
         where p.run_id = coalesce(s.record->>'generation', s.run_id) and p.promoted_at >= s.swapped_at) as "isFinished",
       (extract(epoch from clock_timestamp() - s.swapped_at) * 1000)::float8 as "ageMs"
     from freshet.swaps s order by s.media, s.swapped_at desc`,
  );
  return rows;
}
