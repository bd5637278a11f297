import { randomUUID } from 'node:crypto';
import { filteredIndexId, recordLimitOf } from '../config/definitions.js';
import type { RefreshDefinition } from '../config/types.js';
import { enqueueRun } from '../engine/engine.js';
import { FreshetError } from '../errors.js';
import { liveIndexOf } from '../search/aliases.js';
import { openSearchClient } from '../search/client.js';
import { assertSuffix } from '../search/names.js';
import { planPhases } from '../state/phases.js';
import { insertRun, listUnfinishedRuns, type RunParameters } from '../state/runs.js';
import type { Services } from './context.js';
import { filteredIndexPhases, refreshPhases } from './phases.js';

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

/** Adds a refresh to the queue. Bad parameters are refused before anything is written. @returns the run's id. */
export async function startRefresh(
  services: Services,
  definition: RefreshDefinition,
  request: RefreshRequest,
): Promise<string> {
  const indexSuffix = request.indexSuffix ?? newSuffix();
  assertSuffix(indexSuffix, [definition.media.index.alias]);
  const recordLimit =
    request.recordLimit === undefined ? recordLimitOf(services.config, definition) : request.recordLimit;
  return addRun(services, definition, 'refresh', {
    indexSuffix,
    skipCopyData: request.skipCopyData ?? false,
    allowConcurrent: request.allowConcurrent ?? false,
    recordLimit,
    originSuffix: null,
    destinationSuffix: null,
    hold: request.hold ?? false,
  });
}

/** Adds a rebuild of the filtered index to the queue. @returns the run's id. */
export async function startFilteredIndex(
  services: Services,
  definition: RefreshDefinition,
  request: { originSuffix?: string | undefined; destinationSuffix?: string | undefined },
): Promise<string> {
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

async function addRun(
  services: Services,
  definition: RefreshDefinition,
  flow: 'refresh' | 'filtered-index',
  parameters: RunParameters,
): Promise<string> {
  const { state } = services;
  const id = randomUUID();
  const name = flow === 'refresh' ? definition.id : filteredIndexId(definition);
  const environment = definition.environment.name;
  const { stateUrl } = await services.resolve(environment);
  const media = definition.media.name;
  try {
    await enqueueRun(stateUrl, state, id, async (client) => {
      await insertRun(client, { id, definition: name, environment, media, flow, parameters });
      await planPhases(client, id, flow === 'refresh' ? refreshPhases : filteredIndexPhases);
      return 1;
    });
  } catch (error) {
    throw (await findActive(services, environment, name)) ?? error;
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
