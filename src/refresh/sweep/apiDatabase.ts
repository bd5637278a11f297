import { backendEndTimeoutMs } from '../../limits.js';
import { whyTableKept } from '../../postgres/generations.js';
import { listHolders } from '../../postgres/holders.js';
import { hasMarks, listAppliedRuns, listParts, type Part } from '../../postgres/marks.js';
import { listNewestSwaps } from '../../postgres/promotions.js';
import type { Session } from '../../postgres/session.js';
import { generationOf, type SwapRecord } from '../../postgres/swapRecord.js';
import {
  isOver,
  keptGenerations,
  runOfSession,
  whyRunKept,
  type Leftover,
  type SweepRules,
} from './rules.js';

export type TableLeftover = Leftover & { readonly part: Part };
export type SessionLeftover = Leftover & { readonly pid: number };

/** What runs have left in an API database. */
export interface ApiLeftovers {
  readonly tables: readonly TableLeftover[];
  readonly holders: readonly Leftover[];
  /** Runs with a record of the deletions that they took into account. */
  readonly appliedRuns: readonly string[];
  /** Runs that a table stays of. */
  readonly keptRuns: ReadonlySet<string>;
  /** Runs whose tables are live while the aliases have not followed: their indexes are what belongs to them. */
  readonly halfPromoted: ReadonlySet<string>;
}

const nothing: ApiLeftovers = {
  tables: [],
  holders: [],
  appliedRuns: [],
  keptRuns: new Set(),
  halfPromoted: new Set(),
};

/** Looks; changes nothing. */
export async function findInApi(
  session: Session,
  rules: SweepRules,
  stateId: string | null,
): Promise<ApiLeftovers> {
  if (!(await hasMarks(session))) return nothing;
  const parts = (await listParts(session, null)).filter((part) => rules.media.includes(part.media));
  const swaps = await listNewestSwaps(session);
  const needed = {
    keepOids: keptOids(
      rules,
      swaps.map(({ record }) => record),
    ),
    whyRunKept: (runId: string) => whyRunKept(rules, runId),
  };
  const judged = parts.map((part) => ({ part, kept: whyTableKept(part, needed) }));
  return {
    tables: judged
      .filter(({ part }) => part.role !== 'live' && !needed.keepOids.includes(part.oid))
      .map(({ part, kept }) => ({
        kind: 'table',
        name: `${part.name.schema}.${part.name.name}`,
        runId: part.runId,
        kept,
        part,
      })),
    holders: await findHolders(session, rules, stateId),
    appliedRuns: await listAppliedRuns(session),
    keptRuns: new Set(judged.flatMap(({ part, kept }) => (kept === null ? [] : [part.runId]))),
    halfPromoted: new Set(
      swaps
        .filter(
          ({ record, isFinished }) =>
            !isFinished && rules.runs.get(generationOf(record))?.wasPromoted !== true,
        )
        .map(({ record }) => generationOf(record)),
    ),
  };
}

/**
 * Tables of kept generations. Beside them what only the newest swap knows: what was live before the first refresh, or was made by another system
 * between two, which is no generation of ours, until the next promotion; and the rows that were put aside, as long as the tables stay that they
 * would come back with.
 */
function keptOids(rules: SweepRules, swaps: readonly SwapRecord[]): number[] {
  const generations = keptGenerations(rules);
  const oids = new Set(generations.flatMap(({ tables }) => Object.values(tables)));
  for (const record of swaps) {
    const { media, tables, orphans } = record;
    if (!rules.media.includes(media) || !rules.keepPrevious) continue;
    const replaced = tables.map(({ previousOid }) => previousOid);
    const own = generations.filter((one) => one.media === media);
    const isNewestPromotion = own.some((one) => one.state === 'live' && one.runId === generationOf(record));
    const knowsPrevious = own.some((one) => one.state === 'previous');
    if (isNewestPromotion || !knowsPrevious) replaced.forEach((oid) => oids.add(oid));
    if (replaced.some((oid) => oids.has(oid))) orphans.forEach(({ keptOid }) => oids.add(keptOid));
  }
  return [...oids];
}

/** Rows of this state's runs that are over, left by a process that died in between; those of another state are not ours to judge. */
async function findHolders(session: Session, rules: SweepRules, stateId: string | null): Promise<Leftover[]> {
  const holders = await listHolders(session);
  return holders.flatMap((holder): Leftover[] => {
    const name = `the hold on the API database by run ${holder.runId}`;
    if (holder.stateId === stateId)
      return isOver(rules, holder.runId) ? [{ kind: 'holder', name, runId: holder.runId, kept: null }] : [];
    const kept = `of another state database, on ${holder.host} since ${holder.heldSince.toISOString()}; if that is gone for good: freshet release ${rules.environment}`;
    return [{ kind: 'holder', name, runId: holder.runId, kept }];
  });
}

/** Sessions of runs that are over: backends work on for hours after their client was killed. */
export async function findSessions(session: Session, rules: SweepRules): Promise<SessionLeftover[]> {
  const { rows } = await session.query<{ pid: number; name: string }>(
    `select pid, application_name as name from pg_stat_activity
     where datname = current_database() and application_name like 'freshet %' and pid <> pg_backend_pid() order by pid`,
  );
  return rows.flatMap(({ pid, name }): SessionLeftover[] => {
    const runId = runOfSession(rules, name);
    if (runId === null || runId === rules.ending || !isOver(rules, runId)) return [];
    return [{ kind: 'session', name: `${name} (pid ${pid})`, runId, kept: null, pid }];
  });
}

/** Ends a session; nothing of what it had not committed stays. */
export async function endLeftSession(session: Session, { pid, name }: SessionLeftover): Promise<void> {
  const { rows } = await session.query<{ ended: boolean }>(
    `select pg_terminate_backend(pid, $2) as ended from pg_stat_activity where pid = $1 and application_name like 'freshet %'`,
    [pid, backendEndTimeoutMs],
  );
  if (rows[0]?.ended === false) throw new Error(`the session ${name} does not end`);
}
