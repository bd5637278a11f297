import { definitions } from '../config/definitions.js';
import { environmentOf } from '../config/resolve.js';
import type { RefreshDefinition } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { heartbeatStaleMs } from '../limits.js';
import { listHolders, releaseHold, type Holder } from '../postgres/holders.js';
import { hasMarks, listAppliedRuns, listParts, unmarkedRunId } from '../postgres/marks.js';
import { digestOf } from '../postgres/names.js';
import { listNewestSwaps, listPromotions } from '../postgres/promotions.js';
import { withSession, type Session } from '../postgres/session.js';
import { openSearchClient } from '../search/client.js';
import { listMarkedIndexes } from '../search/index.js';
import { readStateId } from '../state/identity.js';
import { listKnownRuns, recordLostRuns, type LostRun } from '../state/knownRuns.js';
import { recordEvent } from '../state/records.js';
import type { Services } from './context.js';
import { adoptMarked } from './recover.js';

/** A run that this state database does not know. */
export interface UnknownRun extends LostRun {
  /** What is there of it: `table public.temp_import_image`. */
  readonly left: readonly string[];
}

/** What the release of an environment would do. */
export interface ReleasePlan {
  /** Runs of other state databases that hold the API database. */
  readonly holders: readonly Holder[];
  readonly runs: readonly UnknownRun[];
  /** Signs that such a run is being executed: nothing may be released then. */
  readonly signs: readonly string[];
}

/** Looks; changes nothing. Throws where a server does not answer: nobody can tell then. */
export async function planRelease(services: Services, environment: string): Promise<ReleasePlan> {
  environmentOf(services.config, environment);
  const { apiUrl, catalogUrl } = await services.resolve(environment);
  const runs = new RunList(environment, new Set((await listKnownRuns(services.state.pool)).keys()));
  const own = definitions(services.config).filter((one) => one.environment.name === environment);
  await findIndexes(services, own, runs);
  const stateId = await readStateId(services.state);
  const api = { applicationName: 'freshet release', called: 'API database' };
  const { holders, signs } = await withSession(apiUrl, api, async (session) => {
    await findMarked(session, own, runs);
    const foreign = (await listHolders(session)).filter((holder) => holder.stateId !== stateId);
    for (const { runId, media } of foreign) runs.add(runId, media, 'hold on the API database');
    return { holders: foreign, signs: await findSessions(session, runs, 'API database') };
  });
  const catalog = { applicationName: 'freshet release', called: 'catalog' };
  const inCatalog = await withSession(catalogUrl, catalog, (session) =>
    findSessions(session, runs, 'catalog'),
  );
  const beating = holders.filter(({ silentMs }) => silentMs < heartbeatStaleMs);
  return {
    holders,
    runs: runs.list(),
    signs: [
      ...beating.map(
        ({ runId, host, silentMs }) =>
          `a process on ${host} executes run ${runId}: its last sign of life is ${Math.round(silentMs / 1000)} s old`,
      ),
      ...signs,
      ...inCatalog,
    ],
  };
}

/**
 * States that the state databases which knew the planned runs are gone for good: what is live and previous is taken over from the marks, the
 * others are recorded as over (so that the sweeper removes what they left), and the API database is free. In this order: a crash in between
 * leaves it held, and the same command goes on. Throws RELEASE_REFUSED while one of the runs is alive.
 */
export async function release(services: Services, environment: string, plan: ReleasePlan): Promise<void> {
  if (plan.signs.length > 0) {
    throw new FreshetError(
      'RELEASE_REFUSED',
      `${environment} is not released, because a run of another state database is alive: ${plan.signs.join('; ')}.`,
      { environment, run: plan.holders[0]?.runId ?? plan.runs[0]?.id ?? null, signs: plan.signs },
    );
  }
  const { state, resolve } = services;
  const { apiUrl } = await resolve(environment);
  const options = { applicationName: 'freshet release', called: 'API database' };
  await withSession(apiUrl, options, async (session) => {
    for (const definition of definitions(services.config)) {
      if (definition.environment.name !== environment || !(await hasMarks(session))) continue;
      await adoptMarked(services, definition, await listPromotions(session, definition.media.name));
    }
    failpoint('release.adopted');
    await recordLostRuns(state.pool, plan.runs);
    failpoint('release.recorded');
    for (const { runId } of plan.holders) await releaseHold(session, runId);
  });
  failpoint('release.released');
  const ids = plan.runs.map(({ id }) => id).join(', ');
  await recordEvent(state, {
    runId: null,
    level: 'warning',
    kind: 'environment.released',
    message: `${environment} was released from another state database: runs ${ids || 'none'} count as over`,
  });
}

/** The runs that the state does not know, with what is there of each. */
class RunList {
  private readonly runs = new Map<
    string,
    { media: string; left: string[]; suffix: string | null; wasPromoted: boolean }
  >();

  constructor(
    private readonly environment: string,
    private readonly known: ReadonlySet<string>,
  ) {}

  add(
    id: string,
    media: string,
    left: string | null,
    more: { suffix?: string; wasPromoted?: boolean } = {},
  ): void {
    if (this.known.has(id) || id === unmarkedRunId) return;
    const run = this.runs.get(id) ?? { media, left: [], suffix: null, wasPromoted: false };
    if (left !== null) run.left.push(left);
    run.suffix = more.suffix ?? run.suffix;
    run.wasPromoted ||= more.wasPromoted ?? false;
    this.runs.set(id, run);
  }

  ids(): string[] {
    return [...this.runs.keys()];
  }

  list(): UnknownRun[] {
    const { environment } = this;
    return [...this.runs].map(([id, { media, left, suffix, wasPromoted }]) => ({
      id,
      environment,
      media,
      left,
      indexSuffix: suffix ?? id,
      wasPromoted,
    }));
  }
}

async function findIndexes(
  { resolve }: Pick<Services, 'resolve'>,
  own: readonly RefreshDefinition[],
  runs: RunList,
): Promise<void> {
  for (const { environment, media } of own) {
    const client = openSearchClient((await resolve(environment.name)).searchUrls);
    try {
      const { alias } = media.index;
      for (const [name, { mark }] of await listMarkedIndexes(client, `${alias}-`)) {
        if (mark?.media !== media.name) continue;
        const suffix = name.slice(alias.length + 1).replace(/-filtered$/, '');
        runs.add(mark.runId, media.name, `index ${name}`, { suffix });
      }
    } finally {
      await client.close();
    }
  }
}

async function findMarked(session: Session, own: readonly RefreshDefinition[], runs: RunList): Promise<void> {
  if (!(await hasMarks(session))) return;
  for (const { media } of own) {
    for (const { name, runId, role } of await listParts(session, media.name)) {
      runs.add(runId, media.name, `${role} table ${name.schema}.${name.name}`);
    }
    for (const { runId } of await listPromotions(session, media.name))
      runs.add(runId, media.name, null, { wasPromoted: true });
  }
  for (const { record } of await listNewestSwaps(session)) {
    // Its tables are live, whatever became of the aliases.
    if (own.some(({ media }) => media.name === record.media))
      runs.add(record.runId, record.media, null, { wasPromoted: true });
  }
  const media = own[0]?.media.name ?? '';
  for (const id of await listAppliedRuns(session)) runs.add(id, media, 'list of applied deletions');
}

/** Sessions of these runs; a backend may outlive its client by hours, so only a person can tell. */
async function findSessions(session: Session, runs: RunList, called: string): Promise<string[]> {
  const names = runs.ids().flatMap((id) => [id, digestOf(id)]);
  const { rows } = await session.query<{ pid: number; name: string; client: string | null }>(
    `select pid, application_name as name, client_addr::text as client from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()
       and substring(application_name from '^freshet \\w+ (\\S+)') = any($1::text[]) order by pid`,
    [names],
  );
  return rows.map(
    ({ pid, name, client }) =>
      `session ${name} in the ${called} (pid ${pid}, from ${client ?? 'its own machine'})`,
  );
}
