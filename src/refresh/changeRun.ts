import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase, PoolClient } from 'pg';
import { enqueueRun } from '../engine/engine.js';
import { FreshetError } from '../errors.js';
import { cancelPatienceMs, cancelTryMs } from '../limits.js';
import { listPhases, resetPhases, resetPhasesFrom, type Phase } from '../state/phases.js';
import {
  beginAttempt,
  blockedEvent,
  findRun,
  findLaterRun,
  requestCancel,
  hasEvent,
  type Run,
} from '../state/runs.js';
import { findObstacle } from '../state/leases.js';
import { forgetRejects } from '../state/slices.js';
import { isOver, type RunState } from '../state/words.js';
import { assertNotPaused } from './assertNotPaused.js';
import type { Services } from './context.js';
import { firstPhaseAfterHold, phasesOfEveryAttempt, phasesOfRetry } from './phases.js';
import { redoFrom } from './redo.js';
import { findActive } from './startRun.js';
import { environmentBusy } from './steps/waitForLease.js';

type Queryable = Pick<ClientBase, 'query'>;

/** What an operator does to a run that there is: cancel, retry, promote. Each is refused with a reason before anything is written. */

/** The run, or RUN_UNKNOWN. */
export async function requireRun({ state }: Services, id: string): Promise<Run> {
  const run = await findRun(state, id);
  if (run !== null) return run;
  throw new FreshetError('RUN_UNKNOWN', `There is no run ${id}.`, { run: id });
}

/**
 * Asks for the end of a run. The request is durable: whoever executes the run stops it, removes what it made and ends it as `cancelled`.
 * NOT_CANCELLABLE once the promotion has begun (between two tries of its locks it has not), or when the run is over.
 */
export async function cancelRun(services: Services, id: string): Promise<Run> {
  const deadline = Date.now() + cancelPatienceMs;
  for (;;) {
    const run = await requireRun(services, id);
    const isAsked =
      run.state === 'held' ? await wakeToCancel(services, run) : await requestCancel(services.state, id);
    if (isAsked) return requireRun(services, id);
    if (isOver(run.state)) throw notCancellable(run);
    const isPromoting = run.promotionBeganAt !== null;
    // One that waits for its locks lets go between two tries. Anything else was about to change when it was looked at (held, or promoted from there).
    const isWaitedFor =
      Date.now() < deadline && (!isPromoting || (await hasEvent(services.state, id, blockedEvent)));
    if (!isWaitedFor) throw notCancellable(run);
    await sleep(cancelTryMs);
  }
}

function notCancellable({ id, state }: Run): FreshetError {
  const reason = isOver(state) ? `it is over (${state})` : 'its promotion has begun and ends by itself';
  return new FreshetError('NOT_CANCELLABLE', `Run ${id} cannot be cancelled: ${reason}.`, { run: id });
}

/** Nobody executes a held run: another attempt does, whose first look finds the request. */
async function wakeToCancel(services: Services, run: Run): Promise<boolean> {
  return enqueueAttempt(services, run, ['held'], async (client) => {
    await resetPhases(client, run.id, phasesOfEveryAttempt);
    await client.query('update freshet.runs set cancel_requested_at = now() where id = $1', [run.id]);
  });
}

/**
 * Goes on with a run that failed or was refused: phases that are done are kept, from `fromPhase` on they are done again (null = from the one that
 * failed). NOT_RETRYABLE where nothing is left to go on with; USAGE where the run has no such phase.
 */
export async function retryRun(services: Services, id: string, fromPhase: string | null): Promise<Run> {
  const run = await requireRun(services, id);
  const phases = await listPhases(services.state, run.id);
  await assertRetryable(services.state.pool, run);
  const from = assertPhase(run, phases, fromPhase);
  const isEnqueued = await enqueueAttempt(services, run, ['failed', 'refused'], async (client) => {
    await assertNotPaused(client, run.definition);
    await assertNoLaterRun(client, run);
    await resetPhases(client, run.id, phasesOfRetry(run));
    if (from !== null) await redoFrom(client, run.id, from);
    await forgetRejects(client, run.id);
  });
  if (!isEnqueued) throw notRetryable(run, 'another command was faster');
  return requireRun(services, run.id);
}

async function assertRetryable(queryable: Queryable, run: Run): Promise<void> {
  if (run.state !== 'failed' && run.state !== 'refused') {
    const state = isOver(run.state) ? run.state : `not over (${run.state})${howItGoesOn(run)}`;
    throw notRetryable(run, `it is ${state}`);
  }
  await assertNoLaterRun(queryable, run);
}

async function assertNoLaterRun(queryable: Queryable, run: Run): Promise<void> {
  const later = await findLaterRun(queryable, run);
  if (later === null) return;
  throw notRetryable(
    run,
    `run ${later.id} of the same tables has begun since, so what this one made is gone`,
  );
}

/** A phase can be done again only when everything before it is done; what is live is not made anew from before it. */
function assertPhase(run: Run, phases: readonly Phase[], name: string | null): string | null {
  if (name === null) return null;
  const wanted = phases.find((phase) => phase.name === name);
  if (wanted === undefined) {
    const names = phases.map((phase) => phase.name).join(', ');
    throw new FreshetError('USAGE', `Run ${run.id} has no step ${name}; it has ${names}.`);
  }
  const open = phases.find((phase) => phase.state !== 'done' && phase.state !== 'skipped');
  if (open !== undefined && open.ordinal < wanted.ordinal) {
    throw notRetryable(run, `${name} comes after ${open.name}, which is not done`);
  }
  const promotion = phases.find((phase) => phase.name === 'promote');
  if (run.promotionBeganAt !== null && promotion !== undefined && wanted.ordinal < promotion.ordinal) {
    throw notRetryable(
      run,
      'its promotion has begun, so only that can be gone on with (leave --from-step out)',
    );
  }
  return name;
}

function notRetryable({ id }: Run, reason: string): FreshetError {
  return new FreshetError('NOT_RETRYABLE', `Run ${id} cannot be retried: ${reason}.`, { run: id });
}

/**
 * Lets a held run go on: what API writers changed meanwhile is applied, everything is verified again, then it is promoted. Where that does not
 * come about it is held again. Refused at once with NOT_HELD, or with ENVIRONMENT_BUSY while another run holds the environment: a promotion by
 * command does not wait.
 * @param anyTime also outside of the promotion windows.
 */
export async function promoteRun(services: Services, id: string, anyTime: boolean): Promise<Run> {
  const run = await requireRun(services, id);
  if (run.state !== 'held') throw notHeld(run);
  await assertNotPaused(services.state.pool, run.definition);
  await assertEnvironmentFree(services, run);
  const isEnqueued = await enqueueAttempt(services, run, ['held'], async (client) => {
    await assertNotPaused(client, run.definition);
    await resetPhases(client, run.id, phasesOfEveryAttempt);
    await resetPhasesFrom(client, run.id, firstPhaseAfterHold);
    await client.query('update freshet.runs set parameters = parameters || $2 where id = $1', [
      run.id,
      { released: true, anyTime },
    ]);
  });
  if (!isEnqueued) throw notHeld(await requireRun(services, run.id));
  return requireRun(services, run.id);
}

async function assertEnvironmentFree({ state }: Services, run: Run): Promise<void> {
  const { allowConcurrent } = run.parameters;
  const holder = await findObstacle(state.pool, { ...run, allowConcurrent });
  if (holder !== null) throw environmentBusy(run.environment, holder);
}

function notHeld(run: Run): FreshetError {
  const { id, state } = run;
  return new FreshetError('NOT_HELD', `Run ${id} is ${state}, not held${howItGoesOn(run)}.`, { run: id });
}

/** For whoever asks again for what is under way, because the first command was killed. */
function howItGoesOn(run: Run): string {
  if (isOver(run.state) || run.state === 'held') return '';
  const command = commandThatGoesOn(run);
  return command === null
    ? '; the orchestrator goes on with it'
    : `; where no process executes it, it goes on with: ${command}`;
}

/** The command that executes an unfinished run to its end; null where the orchestrator does. */
export function commandThatGoesOn({ environment, definition, flow }: Run): string | null {
  if (environment !== 'local') return null;
  return `freshet ${flow} ${definition}`;
}

/** The run's row, its phases and the engine's entry change together. @returns false when another command was faster. */
async function enqueueAttempt(
  services: Services,
  run: Run,
  from: readonly RunState[],
  write: (client: PoolClient) => Promise<void>,
): Promise<boolean> {
  const { stateUrl } = await services.resolve(run.environment);
  try {
    return await enqueueRun(stateUrl, services.state, run.id, async (client) => {
      const attempt = await beginAttempt(client, run, from);
      if (attempt !== null) await write(client);
      return attempt;
    });
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    // The database lets one run of a definition be active.
    throw (await findActive(services, run.environment, run.definition)) ?? error;
  }
}
