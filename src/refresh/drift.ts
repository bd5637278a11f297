import type { RefreshDefinition } from '../config/types.js';
import { halfLiveToldMs } from '../limits.js';
import type { NewestSwap } from '../postgres/promotions.js';
import { openSearchClient, describeCluster, type SearchClient } from '../search/client.js';
import { readAlias, readIndex } from '../search/index.js';
import { replaceDifferences, type Difference } from '../state/differences.js';
import { listGenerations, type Generation } from '../state/generations.js';
import { recordEvent } from '../state/records.js';
import { listUnfinishedRuns } from '../state/runs.js';
import type { Services } from './context.js';
import { findDifferences, type ServedAlias } from './drift/differences.js';
import { readTableFacts } from './drift/tables.js';

export type { Difference } from '../state/differences.js';

export interface DriftOptions {
  /** Ends what is asked of the search cluster. */
  readonly signal: AbortSignal;
  /** Breaks the connection to the API database, ms. Default: none. */
  readonly limitMs?: number;
}

/**
 * Compares what is live (aliases, the marks of tables and indexes, serving settings) with what the state and the configuration say. Throws
 * where a server does not answer.
 * @returns null while a promotion of the media type is under way: its tables and aliases differ for a moment. One that stays between them is told.
 */
export async function findDrift(
  services: Pick<Services, 'state' | 'resolve'>,
  definition: RefreshDefinition,
  { signal, limitMs }: DriftOptions,
): Promise<Difference[] | null> {
  const { environment, media } = definition;
  const before = await readLive(services, definition);
  const tables = await readTableFacts(services, definition, limitMs);
  const isStuck = isHalfLive(tables.swap);
  if (before.promoting && !isStuck) return null;
  const search = await readSearchFacts(services, definition, before.live, signal);
  const after = await readLive(services, definition);
  if ((after.promoting && !isStuck) || after.live?.id !== before.live?.id) return null;
  return findDifferences({
    environment: environment.name,
    media: media.name,
    live: before.live,
    ...tables,
    ...search,
  });
}

/** Tables whose aliases have not followed in the second or two that this takes. */
function isHalfLive(swap: NewestSwap | null): boolean {
  return swap !== null && !swap.isFinished && swap.ageMs > halfLiveToldMs;
}

async function readLive(
  { state }: Pick<Services, 'state'>,
  { environment, media }: RefreshDefinition,
): Promise<{ promoting: boolean; live: Generation | null }> {
  const generations = await listGenerations(state, environment.name, media.name);
  const runs = await listUnfinishedRuns(state, environment.name);
  return {
    promoting: runs.some((run) => run.media === media.name && run.state === 'promoting'),
    live: generations.find((generation) => generation.state === 'live') ?? null,
  };
}

async function readSearchFacts(
  { resolve }: Pick<Services, 'resolve'>,
  { environment, media }: RefreshDefinition,
  live: Generation | null,
  signal: AbortSignal,
): Promise<{ aliases: ServedAlias[]; wanted: { replicas: number; refreshInterval: string } }> {
  const { searchUrls } = await resolve(environment.name);
  if (searchUrls.includes('')) throw new Error('its embedded search engine does not run');
  const client = openSearchClient(searchUrls, { signal });
  try {
    const { alias, filteredAlias } = media.index;
    const { replicas, refreshInterval } = environment.search;
    return {
      aliases: [
        await readServed(client, alias, live?.mainIndex ?? null),
        await readServed(client, filteredAlias, live?.filteredIndex ?? null),
      ],
      wanted: {
        replicas: replicas ?? ((await describeCluster(client)).dataNodes > 1 ? 1 : 0),
        refreshInterval,
      },
    };
  } finally {
    await client.close();
  }
}

async function readServed(
  client: SearchClient,
  alias: string,
  expected: string | null,
): Promise<ServedAlias> {
  const indexes = await readAlias(client, alias);
  const found = expected === null ? null : await readIndex(client, expected);
  return { alias, expected, indexes, index: found };
}

/** Compares, and tells what is new and what has ended, each once. */
export async function tellDrift(
  services: Services,
  definition: RefreshDefinition,
  signal: AbortSignal,
): Promise<void> {
  const found = await findDrift(services, definition, { signal });
  if (found === null) return;
  const { state } = services;
  const place = { environment: definition.environment.name, media: definition.media.name };
  const { begun, ended } = await replaceDifferences(state, place, found);
  for (const difference of begun) {
    const { environment, subject, expected, found: is, remedy } = difference;
    const message = `${environment}: ${subject} is not as it should be: expected ${expected}, found ${is}. ${remedy}`;
    await recordEvent(state, { runId: null, level: 'warning', kind: 'drift.found', message });
  }
  for (const { environment, subject } of ended) {
    const message = `${environment}: ${subject} is as it should be again`;
    await recordEvent(state, { runId: null, level: 'info', kind: 'drift.ended', message });
  }
}
