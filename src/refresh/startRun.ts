import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import { filteredIndexId, recordLimitOf, rollbackId } from '../config/definitions.js';
import type { RefreshDefinition } from '../config/types.js';
import { enqueueRun } from '../engine/engine.js';
import { FreshetError } from '../errors.js';
import { liveIndexOf } from '../search/aliases.js';
import { openSearchClient } from '../search/client.js';
import { assertSuffix } from '../search/names.js';
import { planPhases } from '../state/phases.js';
import { insertRun, listUnfinishedRuns, type RunParameters } from '../state/runs.js';
import type { Flow } from '../state/words.js';
import { assertNotPaused } from './assertNotPaused.js';
import type { Services } from './context.js';
import { persistently } from './passingFaults.js';
import { plannedPhases } from './phases.js';

/** What a caller may ask of a refresh; what is left out has the definition's default. */
export interface RefreshRequest {
  readonly indexSuffix?: string | undefined;
  readonly skipCopyData?: boolean | undefined;
  readonly allowConcurrent?: boolean | undefined;
  /** Null = no limit. */
  readonly recordLimit?: number | null | undefined;
  /** Stop before the promotion. */
  readonly hold?: boolean | undefined;
}

/** What else is written in the transaction that adds the run, after it; what it throws undoes all of it. */
type Within = (client: PoolClient, runId: string) => Promise<void>;

/**
 * Adds a refresh to the queue. Bad parameters, a definition that is paused (DEFINITION_PAUSED) or has an active run (ALREADY_RUNNING) are
 * refused before anything is written. @returns the run's id.
 */
export async function startRefresh(
  services: Services,
  definition: RefreshDefinition,
  request: RefreshRequest,
  within?: Within,
): Promise<string> {
  await assertNotPaused(services.state.pool, definition.id);
  const indexSuffix = request.indexSuffix ?? newSuffix();
  assertSuffix(indexSuffix, [definition.media.index.alias]);
  const recordLimit =
    request.recordLimit === undefined ? recordLimitOf(services.config, definition) : request.recordLimit;
  const parameters: RunParameters = {
    indexSuffix,
    skipCopyData: request.skipCopyData ?? false,
    allowConcurrent: request.allowConcurrent ?? false,
    recordLimit,
    originSuffix: null,
    destinationSuffix: null,
    hold: request.hold ?? false,
  };
  return addRun(services, definition, 'refresh', parameters, within);
}

/** Adds a rebuild of the filtered index to the queue. @returns the run's id. */
export async function startFilteredIndex(
  services: Services,
  definition: RefreshDefinition,
  request: { originSuffix?: string | undefined; destinationSuffix?: string | undefined },
): Promise<string> {
  await assertNotPaused(services.state.pool, filteredIndexId(definition));
  const { alias } = definition.media.index;
  const destinationSuffix = request.destinationSuffix ?? newSuffix();
  assertSuffix(destinationSuffix, [alias]);
  const live = await liveSuffix(services, definition);
  const originSuffix = request.originSuffix ?? live;
  if (originSuffix !== live) {
    throw new FreshetError(
      'ORIGIN_NOT_LIVE',
      `${alias}-${originSuffix} is not the live index; ${alias}-${live} is.`,
      { live },
    );
  }
  return addRun(services, definition, 'filtered-index', {
    indexSuffix: destinationSuffix,
    skipCopyData: true,
    allowConcurrent: false,
    recordLimit: null,
    originSuffix,
    destinationSuffix,
  });
}

/** A suffix that no index has: a uuid without hyphens. */
function newSuffix(): string {
  return randomUUID().replaceAll('-', '');
}

async function liveSuffix(services: Services, definition: RefreshDefinition): Promise<string> {
  const { alias } = definition.media.index;
  const { searchUrls } = await services.resolve(definition.environment.name);
  const search = openSearchClient(searchUrls);
  try {
    const live = await liveIndexOf(search, alias);
    if (live?.startsWith(`${alias}-`) === true) return live.slice(alias.length + 1);
    const found = live === null ? 'points at no index' : `points at ${live}`;
    throw new FreshetError('ORIGIN_NOT_LIVE', `The alias ${alias} ${found}, not at ${alias}-<suffix>.`, {
      live,
    });
  } finally {
    await search.close();
  }
}

/** The id under which runs of a flow are known. */
const idOf = {
  refresh: (definition: RefreshDefinition) => definition.id,
  'filtered-index': filteredIndexId,
  rollback: rollbackId,
} as const satisfies Record<Flow, (definition: RefreshDefinition) => string>;

/** Adds a run to the queue. @returns its id. */
export async function addRun(
  services: Services,
  definition: RefreshDefinition,
  flow: Flow,
  parameters: RunParameters,
  within: Within = () => Promise.resolve(),
): Promise<string> {
  const { state } = services;
  const id = randomUUID();
  const name = idOf[flow](definition);
  const environment = definition.environment.name;
  const { stateUrl } = await services.resolve(environment);
  const media = definition.media.name;
  try {
    await enqueueRun(stateUrl, state, id, async (client) => {
      await assertNotPaused(client, name);
      await insertRun(client, { id, definition: name, environment, media, flow, parameters });
      const { promotion } = definition.environment;
      await planPhases(client, id, plannedPhases(flow, { hold: parameters.hold ?? false, promotion }));
      await within(client, id);
      return 1;
    });
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    const active = await persistently(() => findActive(services, environment, name));
    // It was added, but the answer was lost.
    if (active?.details['run'] === id) return id;
    throw active ?? error;
  }
  return id;
}

/** The database lets one run of a definition be active (`one_active_run`), whoever is first. */
export async function findActive(
  { state }: Services,
  environment: string,
  definition: string,
): Promise<FreshetError | null> {
  const active = (await listUnfinishedRuns(state, environment)).find((run) => run.definition === definition);
  if (active === undefined) return null;
  return new FreshetError('ALREADY_RUNNING', `${definition} is ${active.state} already (run ${active.id}).`, {
    run: active.id,
  });
}
