import { definitions } from '../config/definitions.js';
import type { RefreshDefinition } from '../config/types.js';
import type { Leadership } from '../engine/leadership.js';
import { listHolders } from '../postgres/holders.js';
import { hasMarks } from '../postgres/marks.js';
import { listNewestSwaps, listPromotions, type NewestSwap, type Promotion } from '../postgres/promotions.js';
import { withSession } from '../postgres/session.js';
import {
  adoptGenerations,
  listGenerations,
  recordPromotion,
  recordRollback,
  type FoundGeneration,
} from '../state/generations.js';
import { readStateId } from '../state/identity.js';
import type { LostRun } from '../state/knownRuns.js';
import { recordEvent } from '../state/records.js';
import { isRunOver } from '../state/runs.js';
import type { Services } from './context.js';
import { finishAliasMove, finishRest, finishSwap } from './finishPromotion.js';

/** What the marks of a media type say. */
export interface MarkedMedia {
  /** Null = its tables were never swapped. */
  readonly swap: NewestSwap | null;
  /** Newest first. */
  readonly promotions: readonly Promotion[];
  /** A run of another state database that holds the API database; null = none does. */
  readonly foreignRun: string | null;
}

/** Reads them; null where freshet has never been. */
export async function readMarkedMedia(
  services: Pick<Services, 'state' | 'resolve'>,
  { environment, media }: RefreshDefinition,
  limitMs?: number,
): Promise<MarkedMedia | null> {
  const { apiUrl } = await services.resolve(environment.name);
  const stateId = await readStateId(services.state);
  const options = {
    applicationName: 'freshet look',
    called: 'API database',
    ...(limitMs === undefined ? {} : { limitMs }),
  };
  return withSession(apiUrl, options, async (session) => {
    if (!(await hasMarks(session))) return null;
    const swaps = await listNewestSwaps(session);
    const foreign = (await listHolders(session)).find((holder) => holder.stateId !== stateId);
    return {
      swap: swaps.find(({ record }) => record.media === media.name) ?? null,
      promotions: await listPromotions(session, media.name),
      foreignRun: foreign?.runId ?? null,
    };
  });
}

/** Repairs every media type of an environment. Throws what keeps it from that: a server that is down. */
export async function recoverEnvironment(
  services: Services,
  leadership: Leadership,
  environment: string,
): Promise<void> {
  for (const definition of definitions(services.config)) {
    if (definition.environment.name === environment) await recoverMedia(services, leadership, definition);
  }
}

/**
 * Brings together again what a crash or a loss has left apart, before anything else is done with a media type: a promotion whose run gave up
 * between tables and aliases is finished (I2), and a state database that knows less than the marks (lost, or from a backup) learns what is live
 * and previous. A run that is not over does that itself; one of another state database is left alone.
 */
export async function recoverMedia(
  services: Services,
  leadership: Leadership,
  definition: RefreshDefinition,
): Promise<void> {
  const marked = await readMarkedMedia(services, definition);
  if (marked === null || marked.foreignRun !== null) return;
  if (marked.swap?.isFinished === false && (await finishSwap(services, leadership, marked.swap.record)))
    return;
  const live = marked.promotions.find(({ goneAt }) => goneAt === null);
  if (marked.swap !== null && live !== undefined) {
    if (await finishRest(services, leadership, marked.swap, live.runId)) return;
  }
  await finishAliasMove(services, leadership, definition);
  await adoptMarked(services, definition, marked.promotions);
}

/** Makes the state know what the marks say is live and previous. */
export async function adoptMarked(
  { state }: Pick<Services, 'state'>,
  { environment, media }: RefreshDefinition,
  promotions: readonly Promotion[],
): Promise<void> {
  const [live, previous] = promotions.filter(({ goneAt }) => goneAt === null);
  if (live === undefined) return;
  const known = await listGenerations(state, environment.name, media.name);
  const generation = known.find(({ runId }) => runId === live.runId);
  if (generation !== undefined) {
    // The state missed the last moment of a run that then gave up.
    if (generation.state === 'candidate' && (await isRunOver(state, live.runId)))
      await recordPromotion(state, live.runId);
    // Of a rollback: the marks are written first, and a state from a backup may know nothing of it.
    if (generation.state === 'previous') await recordRollback(state, live.runId);
    return;
  }
  const toFound = ({ runId, tables, mainIndex, filteredIndex, promotedAt }: Promotion): FoundGeneration => ({
    environment: environment.name,
    media: media.name,
    runId,
    tables,
    mainIndex,
    filteredIndex,
    promotedAt,
  });
  const adopted = await adoptGenerations(state, {
    runs: promotions.map((promotion) => lostRunOf(promotion, environment.name, media.index.alias)),
    live: toFound(live),
    previous: previous === undefined ? null : toFound(previous),
  });
  if (!adopted) return;
  const before = previous === undefined ? '' : `, previous was run ${previous.runId}`;
  await recordEvent(state, {
    runId: null,
    level: 'warning',
    kind: 'state.adopted',
    message: `the state did not know what is live in ${environment.name}; the marks say: ${media.name} of run ${live.runId}${before}`,
  });
}

function lostRunOf({ runId, media, filteredIndex }: Promotion, environment: string, alias: string): LostRun {
  const indexSuffix = filteredIndex.slice(alias.length + 1).replace(/-filtered$/, '');
  return { id: runId, environment, media, indexSuffix, wasPromoted: true };
}
