import { findOrchestrator } from '../engine/leadership.js';
import { FreshetError, messageOf } from '../errors.js';
import { deployCheckMs, estimateRunsMax } from '../limits.js';
import { listHolders, type Holder } from '../postgres/holders.js';
import { withSession, type Session, type SessionOptions } from '../postgres/session.js';
import { listOver, readActivity, type StateActivity, type UnfinishedRun } from '../state/activity.js';
import type { Flow, RunState } from '../state/words.js';
import { withLimit } from '../withLimit.js';

/** May something be deployed, restarted, migrated now? `idle` is said only where it is known. */
export type Verdict = 'idle' | 'busy' | 'cannot tell';

/** A run of this state database that is under way, queued or waiting. */
export interface BusyRun {
  readonly run: string;
  readonly definition: string;
  readonly flow: Flow;
  readonly state: RunState;
  /** When it began; where it has not, when it was added. */
  readonly since: Date;
  /** Estimated from `estimatedFrom` runs; null where there is nothing to estimate it from. */
  readonly expectedEnd: Date | null;
  /** Successful runs of the definition whose duration it is estimated from. */
  readonly estimatedFrom: number;
}

export interface HeldRun {
  readonly run: string;
  readonly definition: string;
}

export interface EnvironmentActivity {
  readonly environment: string;
  readonly verdict: Verdict;
  readonly busy: readonly BusyRun[];
  /** Runs that hold the API database and that this state database does not know as its own. */
  readonly holders: readonly Holder[];
  /** Finished candidates that wait for `freshet promote`: nothing of them goes on. */
  readonly held: readonly HeldRun[];
  /** Whether an orchestrator is up on the state database; null = not known. */
  readonly orchestrator: boolean | null;
  /** What was not looked at because it is not there, and what could not be told and why. */
  readonly notes: readonly string[];
}

/** Where to look. Null = an embedded part that nobody runs. */
export interface DeployCheckUrls {
  readonly stateUrl: string | null;
  readonly apiUrl: string | null;
  /** The state database belongs to embedded parts: one without tables is new, not another database by mistake. */
  readonly isStateEmbedded: boolean;
}

const nobody: Omit<EnvironmentActivity, 'environment' | 'verdict'> = {
  busy: [],
  holders: [],
  held: [],
  orchestrator: null,
  notes: [],
};

/** An environment that could not be looked at. */
export function cannotTell(environment: string, reason: string): EnvironmentActivity {
  return { ...nobody, environment, verdict: 'cannot tell', notes: [reason] };
}

/** Looks at the state database and at the API database; changes nothing. */
export async function checkDeployment(
  environment: string,
  urls: DeployCheckUrls,
  now = new Date(),
): Promise<EnvironmentActivity> {
  const state = await told(() => lookAtState(environment, urls));
  const api = await told(() => lookAtApi(urls, state.found?.activity ?? null));
  const runs = state.found?.activity?.runs ?? [];
  const busy = estimateEnds(
    runs.filter(({ state: now }) => now !== 'held'),
    now,
  );
  const holders = api.found?.holders ?? [];
  const held = runs
    .filter((run) => run.state === 'held')
    .map(({ id, definition }) => ({ run: id, definition }));
  return {
    environment,
    verdict: verdictOf(busy.length > 0, state.found !== null, api.found === null ? null : holders.length > 0),
    busy,
    holders,
    held,
    orchestrator: state.found?.orchestrator ?? null,
    notes: [...state.notes, ...api.notes],
  };
}

/** What the state says is certain. Without the state a hold of the API database may be an old one. */
function verdictOf(isBusy: boolean, isStateKnown: boolean, isApiHeld: boolean | null): Verdict {
  if (isBusy) return 'busy';
  if (!isStateKnown || isApiHeld === null) return 'cannot tell';
  return isApiHeld ? 'busy' : 'idle';
}

interface Told<T> {
  /** Null = it could not be told. */
  readonly found: T | null;
  readonly notes: readonly string[];
}

/** Whatever goes wrong is a reason for "cannot tell". */
async function told<T extends { readonly note: string | null }>(look: () => Promise<T>): Promise<Told<T>> {
  try {
    const found = await withLimit(look(), deployCheckMs);
    return { found, notes: found.note === null ? [] : [found.note] };
  } catch (error) {
    return { found: null, notes: [messageOf(error)] };
  }
}

interface StateFound {
  readonly activity: StateActivity | null;
  readonly orchestrator: boolean | null;
  readonly note: string | null;
}

async function lookAtState(
  environment: string,
  { stateUrl, isStateEmbedded }: DeployCheckUrls,
): Promise<StateFound> {
  if (stateUrl === null) {
    const note =
      'the embedded state database does not run, so no run of it goes on; one that was interrupted goes on with the next command';
    return { activity: null, orchestrator: false, note };
  }
  return look(stateUrl, 'state database', async (session) => {
    const activity = await readActivity(session, environment, estimateRunsMax);
    const orchestrator = (await findOrchestrator(session)) !== null;
    if (activity !== null) return { activity, orchestrator, note: null };
    const note = 'the state database has no tables of freshet yet: no run was ever added to it';
    if (isStateEmbedded) return { activity: null, orchestrator, note };
    throw new Error('the state database has no tables of freshet: it is new, or its URL names another one');
  });
}

interface ApiFound {
  readonly holders: readonly Holder[];
  readonly note: string | null;
}

/** Runs of this state database are told by the state; what counts here is who else holds the API database. */
async function lookAtApi(
  { apiUrl, stateUrl }: DeployCheckUrls,
  activity: StateActivity | null,
): Promise<ApiFound> {
  if (apiUrl === null) return { holders: [], note: 'the embedded API database does not run' };
  const all = await look(apiUrl, 'API database', listHolders);
  const own = all.filter(({ stateId }) => stateId === activity?.stateId);
  const others = all.filter((holder) => !own.includes(holder));
  if (activity === null || stateUrl === null || own.length === 0) return { holders: others, note: null };
  const over = await look(stateUrl, 'state database', (session) =>
    listOver(
      session,
      own.map(({ runId }) => runId),
    ),
  );
  const known = new Set(activity.runs.map(({ id }) => id));
  // A run that was over when it released the database, or died in between, is over; one that the state has lost is not known to be.
  const lost = own.filter(({ runId }) => !known.has(runId) && !over.has(runId));
  return { holders: [...others, ...lost], note: null };
}

/** A server that hangs is told as such. */
async function look<T>(url: string, called: string, work: (session: Session) => Promise<T>): Promise<T> {
  const options: SessionOptions = { applicationName: 'freshet deploy-check', called };
  try {
    return await withSession(url, options, async (session) => {
      await session.query(`set default_transaction_read_only = on; set statement_timeout = ${deployCheckMs}`);
      return work(session);
    });
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw new Error(`The ${called} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * When the runs are expected to end: from their start, as long as the last successful runs of the definition took (the median). Those that
 * wait begin when the ones before them are over. Pure.
 */
export function estimateEnds(runs: readonly UnfinishedRun[], now: Date): BusyRun[] {
  let freeAt: Date | null = now;
  return runs.map((run) => {
    const begins = run.startedAt ?? freeAt;
    const durationMs = medianOf(run.earlierMs);
    // A retried run began long ago; how much of it is left nobody knows.
    const isKnown = durationMs !== null && begins !== null && run.attempt === 1;
    const expectedEnd = isKnown ? new Date(begins.getTime() + durationMs) : null;
    freeAt =
      freeAt === null || expectedEnd === null
        ? null
        : new Date(Math.max(freeAt.getTime(), expectedEnd.getTime()));
    return {
      run: run.id,
      definition: run.definition,
      flow: run.flow,
      state: run.state,
      since: run.startedAt ?? run.createdAt,
      expectedEnd,
      estimatedFrom: isKnown ? run.earlierMs.length : 0,
    };
  });
}

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
