import type { PoolClient } from 'pg';
import { enqueueRun } from '../engine/engine.js';
import { FreshetError } from '../errors.js';
import { listPhases, resetPhases, type Phase } from '../state/phases.js';
import { forgetIndexed } from '../state/slices.js';
import { beginAttempt, findRun, findLaterRun, requestCancel, type Run } from '../state/runs.js';
import { isOver, type RunState } from '../state/words.js';
import type { Services } from './context.js';
import { firstPhaseAfterHold, phasesOfEveryAttempt } from './phases.js';
import { findActive } from './startRun.js';

/** What an operator does to a run that there is: cancel, retry, promote. Each is refused with a reason before anything is written. */

/** The run, or RUN_UNKNOWN. */
export async function requireRun({ state }: Services, id: string): Promise<Run> {
  const run = await findRun(state, id);
  if (run !== null) return run;
  throw new FreshetError('RUN_UNKNOWN', `There is no run ${id}.`, { run: id });
}

/**
 * Asks for the end of a run. The request is durable: whoever executes the run stops it, removes what it made and ends it as `cancelled`.
 * NOT_CANCELLABLE once the promotion has begun, or when the run is over.
 */
export async function cancelRun(services: Services, id: string): Promise<Run> {
  const run = await requireRun(services, id);
  if (run.state === 'held') await wakeToCancel(services, run);
  else if (!(await requestCancel(services.state, run.id))) throw await notCancellable(services, run);
  return requireRun(services, run.id);
}

async function notCancellable(services: Services, { id }: Run): Promise<FreshetError> {
  const run = await requireRun(services, id);
  const reason = isOver(run.state)
    ? `it is over (${run.state})`
    : 'its promotion has begun, and what is half live must become live';
  return new FreshetError('NOT_CANCELLABLE', `Run ${id} cannot be cancelled: ${reason}.`, { run: id });
}

/** Nobody executes a held run: another attempt does, whose first look finds the request. */
async function wakeToCancel(services: Services, run: Run): Promise<void> {
  await enqueueAttempt(services, run, ['held'], async (client) => {
    await resetPhases(client, run.id, { always: phasesOfEveryAttempt, from: null });
    await client.query('update freshet.runs set cancel_requested_at = now() where id = $1', [run.id]);
  });
}

/**
 * Goes on with a run that failed or was refused: phases that are done are kept, from `fromPhase` on they are done again (null = from the one that
 * failed). NOT_RETRYABLE where nothing is left to go on with.
 */
export async function retryRun(services: Services, id: string, fromPhase: string | null): Promise<Run> {
  const run = await requireRun(services, id);
  await assertRetryable(services, run);
  const phases = await listPhases(services.state, run.id);
  const from = assertPhase(run, phases, fromPhase);
  await enqueueAttempt(services, run, ['failed', 'refused'], async (client) => {
    await resetPhases(client, run.id, { always: phasesOfEveryAttempt, from });
    await forgetIndexed(client, run.id, from);
  });
  return requireRun(services, run.id);
}

async function assertRetryable(services: Services, run: Run): Promise<void> {
  if (run.state !== 'failed' && run.state !== 'refused') {
    const state = isOver(run.state) ? run.state : `not over (${run.state})`;
    throw notRetryable(run, `it is ${state}`);
  }
  const later = await findLaterRun(services.state, run);
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
  if (promotion?.startedAt != null && wanted.ordinal < promotion.ordinal) {
    throw notRetryable(
      run,
      `its promotion has begun, so only that can be gone on with (--from-step promote)`,
    );
  }
  return name;
}

function notRetryable({ id }: Run, reason: string): FreshetError {
  return new FreshetError('NOT_RETRYABLE', `Run ${id} cannot be retried: ${reason}.`, { run: id });
}

/** Lets a held run go on: what API writers changed meanwhile is applied, everything is verified again, then it is promoted. */
export async function promoteRun(services: Services, id: string): Promise<Run> {
  const run = await requireRun(services, id);
  if (run.state !== 'held') {
    throw new FreshetError('NOT_HELD', `Run ${run.id} is ${run.state}, not held.`, { run: run.id });
  }
  await enqueueAttempt(services, run, ['held'], async (client) => {
    await resetPhases(client, run.id, { always: phasesOfEveryAttempt, from: firstPhaseAfterHold });
    await client.query(`update freshet.runs set parameters = parameters || '{"hold": false}' where id = $1`, [
      run.id,
    ]);
  });
  return requireRun(services, run.id);
}

/** The run's row, its phases and the engine's entry change together. Another command may have been faster: it is refused then. */
async function enqueueAttempt(
  services: Services,
  run: Run,
  from: readonly RunState[],
  write: (client: PoolClient) => Promise<void>,
): Promise<void> {
  const { stateUrl } = await services.resolve(run.environment);
  try {
    await enqueueRun(stateUrl, services.state, run.id, async (client) => {
      const attempt = await beginAttempt(client, run, from);
      if (attempt === null) throw notRetryable(run, 'another command was faster');
      await write(client);
      return attempt;
    });
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    // The database lets one run of a definition be active.
    throw (await findActive(services, run.environment, run.definition)) ?? error;
  }
}
