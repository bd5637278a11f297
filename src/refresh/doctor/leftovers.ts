import type { EnvironmentConfig } from '../../config/types.js';
import type { Session } from '../../postgres/session.js';
import { listPresentGenerations, type Generation } from '../../state/generations.js';
import { listKnownRuns, type KnownRun } from '../../state/knownRuns.js';
import type { Leftover, SweepRules } from '../sweep/rules.js';
import { ok, warning, problem, type Finding } from './finding.js';

/** What the state database knows: without it nobody can tell a leftover from work that goes on. */
export interface KnownState {
  readonly stateId: string;
  readonly runs: ReadonlyMap<string, KnownRun>;
  readonly generations: readonly Generation[];
}

/** Reads what is kept and what goes on, without creating anything. Null where the database holds no state of ours (of this release) yet. */
export async function readKnownState(session: Session): Promise<KnownState | null> {
  if (!(await hasTable(session, 'freshet.differences'))) return null;
  const { rows } = await session.query<{ id: string }>('select id from freshet.identity');
  return {
    stateId: rows[0]?.id ?? '',
    runs: await listKnownRuns(session),
    generations: await listPresentGenerations(session),
  };
}

async function hasTable(session: Session, name: string): Promise<boolean> {
  const { rows } = await session.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
    name,
  ]);
  return rows[0]?.found === true;
}

/** The rules by which the orchestrator sweeps this environment. A state that knows nothing keeps everything. */
export function rulesOf(environment: EnvironmentConfig, state: KnownState | null): SweepRules {
  return {
    environment: environment.name,
    media: Object.keys(environment.media),
    runs: state?.runs ?? new Map(),
    generations: state?.generations.filter((one) => one.environment === environment.name) ?? [],
    keepPrevious: true,
    keepFailedMs: environment.keepFailedHours * 3_600_000,
    ending: null,
    now: new Date(),
  };
}

/** What the sweeper would find, as findings. Work that goes on, and what is held for its promotion, is no finding. */
export function judgeLeftovers(leftovers: readonly Leftover[], { runs, environment }: SweepRules): Finding[] {
  return leftovers.flatMap(({ kind, name, runId, kept }): Finding[] => {
    const what = `The ${kind} ${name} was left by run ${runId}`;
    if (kept === null)
      return [
        warning(
          'leftovers',
          `${what}.`,
          `The orchestrator removes it; at once: freshet clean ${environment}`,
        ),
      ];
    const run = runs.get(runId);
    if (run === undefined) return [warning('leftovers', `${what}.`, `It is kept: ${kept}`)];
    return run.finishedAt === null ? [] : [ok('leftovers', `${what} and is kept: ${kept}`)];
  });
}

/** Everything that is called like a temp table and has no mark, as `schema.name`. */
export async function listUnmarkedTempTables(session: Session): Promise<string[]> {
  const marked = (await hasTable(session, 'freshet.parts'))
    ? 'exists (select from freshet.parts p where p.oid = c.oid)'
    : 'false';
  const { rows } = await session.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname like 'temp\\_import\\_%' and not ${marked} order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** `wanted`: the temp tables that refreshes of this configuration make. */
export function judgeUnmarked(tables: readonly string[], wanted: ReadonlySet<string>): Finding[] {
  return tables.map((name) => {
    const message = `${name} is called like a temp table but carries no mark of freshet, which will never drop it.`;
    return wanted.has(name)
      ? problem(
          'leftovers',
          message,
          'It is in the way of a refresh: drop it if nobody needs it, or rename it.',
        )
      : warning('leftovers', message, 'Drop it if nobody needs it.');
  });
}
