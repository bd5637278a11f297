import type { Session } from '../../postgres/session.js';
import { finalRunStates } from '../../state/words.js';
import { warning, problem, type Finding } from './finding.js';

/** What the state database knows: without it nobody can tell a leftover from work that goes on. */
export interface KnownState {
  readonly activeRunIds: ReadonlySet<string>;
  /** Indexes of live and previous generations. */
  readonly keptIndexes: ReadonlySet<string>;
}

/** Reads what is kept and what goes on, without creating anything. Null where the database holds no state of ours yet. */
export async function readKnownState(session: Session): Promise<KnownState | null> {
  if (!(await hasTable(session, 'freshet.generations'))) return null;
  const runs = await session.query<{ id: string }>(
    'select id from freshet.runs where state <> all($1::text[])',
    [finalRunStates],
  );
  const generations = await session.query<{ main: string; filtered: string }>(
    `select main_index as main, filtered_index as filtered from freshet.generations where state in ('live', 'previous')`,
  );
  return {
    activeRunIds: new Set(runs.rows.map(({ id }) => id)),
    keptIndexes: new Set(generations.rows.flatMap(({ main, filtered }) => [main, filtered])),
  };
}

async function hasTable(session: Session, name: string): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
    name,
  ]);
  return rows[0]?.found === true;
}

/** A table whose name begins with `temp_import_`. */
export interface TempTable {
  /** `schema.name` */
  readonly name: string;
  /** The run that made it; null = it carries no mark of ours. */
  readonly runId: string | null;
}

/** Candidates by mark, and everything that is called like a temp table. */
export async function readTempTables(session: Session): Promise<TempTable[]> {
  const marks = (await hasTable(session, 'freshet.parts'))
    ? `select oid, run_id from freshet.parts where role = 'candidate'`
    : 'select null::oid as oid, null::text as run_id where false';
  const { rows } = await session.query<TempTable>(
    `select n.nspname || '.' || c.relname as name, p.run_id as "runId"
     from pg_class c join pg_namespace n on n.oid = c.relnamespace left join (${marks}) p on p.oid = c.oid
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and (p.oid is not null or c.relname like 'temp\\_import\\_%')
     order by 1`,
  );
  return rows;
}

/** `wanted`: the temp tables that refreshes of this configuration make. */
export function judgeTempTables(
  tables: readonly TempTable[],
  wanted: ReadonlySet<string>,
  state: KnownState | null,
): Finding[] {
  return tables
    .filter(({ runId }) => runId === null || state?.activeRunIds.has(runId) !== true)
    .map(({ name, runId }) =>
      runId === null ? foreignTempTable(name, wanted.has(name)) : ownTempTable(name, runId, state),
    );
}

function foreignTempTable(name: string, isInTheWay: boolean): Finding {
  const message = `${name} is called like a temp table but carries no mark of freshet, which will never drop it.`;
  return isInTheWay
    ? problem(
        'leftovers',
        message,
        `It is in the way of a refresh: drop it if nobody needs it, or rename it.`,
      )
    : warning('leftovers', message, 'Drop it if nobody needs it.');
}

function ownTempTable(name: string, runId: string, state: KnownState | null): Finding {
  const remedy =
    state === null
      ? 'The state database does not know whether the run goes on. Give the one that was used (stateUrl).'
      : 'The next refresh of its media type drops it.';
  return warning('leftovers', `${name} was left by the run ${runId}.`, remedy);
}

/** An index that carries our mark. */
export interface MarkedIndex {
  readonly name: string;
  readonly runId: string;
  readonly aliases: readonly string[];
}

/** Marked indexes that nobody reads, that no generation keeps and no run works on. `isPublic` tells public aliases from a run's own. */
export function judgeIndexes(
  indexes: readonly MarkedIndex[],
  isPublic: (alias: string) => boolean,
  state: KnownState | null,
): Finding[] {
  return indexes
    .filter(({ aliases }) => !aliases.some(isPublic))
    .filter(({ name, runId }) => !state?.keptIndexes.has(name) && !state?.activeRunIds.has(runId))
    .map(({ name, runId }) =>
      warning(
        'leftovers',
        `The index ${name} of the run ${runId} has no public alias and belongs to no kept generation that is known.`,
        state === null
          ? 'It may be the previous generation: the state database knows nothing of it. Give the one that was used (stateUrl).'
          : 'Delete it if no run is held back that would promote it.',
      ),
    );
}
