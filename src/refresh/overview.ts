import { definitions } from '../config/definitions.js';
import { findOrchestrator } from '../engine/leadership.js';
import { FreshetError, messageOf } from '../errors.js';
import { eventsShownMax, statusCallMs } from '../limits.js';
import { listPresentGenerations, type Generation } from '../state/generations.js';
import { listLeases } from '../state/leases.js';
import { listNotableEvents, type RunEvent } from '../state/records.js';
import { listPaused, type Pause } from '../state/paused.js';
import { listRuns, listUnfinishedRuns, type Run } from '../state/runs.js';
import type { State } from '../state/state.js';
import type { Services } from './context.js';
import { findDrift, type Difference } from './drift.js';
import { listReachable } from './maintenance.js';

/** Live and previous of a media type in an environment. */
export interface ServedGenerations {
  readonly environment: string;
  readonly media: string;
  readonly live: Generation | null;
  readonly previous: Generation | null;
}

/** What could not be compared, and why. */
export interface Unknown {
  readonly environment: string;
  readonly media: string;
  readonly reason: string;
}

/** How everything stands. */
export interface Overview {
  /** Null = no process executes runs. */
  readonly orchestrator: { readonly host: string; readonly pid: number; readonly since: Date } | null;
  /** The newest first. */
  readonly runs: readonly Run[];
  readonly leases: Awaited<ReturnType<typeof listLeases>>;
  /** Runs that wait for `freshet promote`. */
  readonly held: readonly Run[];
  /** Runs that were asked to end and have not yet. */
  readonly cancelling: readonly Run[];
  readonly paused: readonly Pause[];
  /** The newest warnings and failures, and what belongs to no run; the newest first. */
  readonly events: readonly RunEvent[];
  readonly generations: readonly ServedGenerations[];
  readonly differences: readonly Difference[];
  readonly cannotTell: readonly Unknown[];
}

/** Reads the state, and asks each environment's servers for a moment whether what is live is what should be. A server that is down is no error. */
export async function readOverview(services: Services, runs: number): Promise<Overview> {
  const { state } = services;
  const unfinished = await listUnfinishedRuns(state, null);
  return {
    orchestrator: await readOrchestrator(state),
    runs: await listRuns(state, runs),
    leases: await listLeases(state),
    held: unfinished.filter((run) => run.state === 'held'),
    cancelling: unfinished.filter((run) => run.cancelRequestedAt !== null),
    paused: await listPaused(state),
    events: await listNotableEvents(state, eventsShownMax),
    generations: await readGenerations(services),
    ...(await compareAll(services)),
  };
}

async function readOrchestrator({ pool }: State): Promise<Overview['orchestrator']> {
  // The row of a process that was killed is still there; the lock is not.
  if ((await findOrchestrator(pool)) === null) return null;
  const { rows } = await pool.query<{ host: string; pid: number; since: Date }>(
    'select host, pid, started_at as since from freshet.orchestrator',
  );
  return rows[0] ?? null;
}

async function readGenerations({ state }: Services): Promise<ServedGenerations[]> {
  const present = await listPresentGenerations(state.pool);
  const places = new Map(
    present.map(({ environment, media }) => [`${environment} ${media}`, { environment, media }]),
  );
  return [...places.values()].map(({ environment, media }) => {
    const own = present.filter((one) => one.environment === environment && one.media === media);
    const find = (word: Generation['state']): Generation | null =>
      own.find((generation) => generation.state === word) ?? null;
    return { environment, media, live: find('live'), previous: find('previous') };
  });
}

async function compareAll(services: Services): Promise<Pick<Overview, 'differences' | 'cannotTell'>> {
  const environments = await listReachable(services);
  const compared = definitions(services.config)
    .filter(({ environment }) => environments.includes(environment.name))
    .map(async (definition) => {
      const place = { environment: definition.environment.name, media: definition.media.name };
      try {
        const limits = { signal: AbortSignal.timeout(statusCallMs), limitMs: statusCallMs };
        return { differences: (await findDrift(services, definition, limits)) ?? [], cannotTell: [] };
      } catch (error) {
        return { differences: [], cannotTell: [{ ...place, reason: reasonOf(error) }] };
      }
    });
  const all = await Promise.all(compared);
  return {
    differences: all.flatMap(({ differences }) => differences),
    cannotTell: all.flatMap(({ cannotTell }) => cannotTell),
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof FreshetError) return error.message;
  // The only signal is that of the search client.
  const isLate = error instanceof DOMException && error.name === 'TimeoutError';
  return isLate ? `the search cluster gives no answer within ${statusCallMs / 1000} s` : messageOf(error);
}
