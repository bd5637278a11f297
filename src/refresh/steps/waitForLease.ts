import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { leasePollMs } from '../../limits.js';
import { pause } from '../../pause.js';
import { setRunState, type Run } from '../../state/runs.js';
import { tryAcquireLease, type LeaseHolder } from '../../state/leases.js';
import type { RunContext } from '../context.js';
import { holdTarget, targetHeld } from '../holdTarget.js';
import type { Step } from '../phase.js';

/**
 * Waits until no other run holds the environment: first the lease in the state database, then the API database itself, which a run of
 * another state database may hold. Only a refresh waits; any other flow, and the promotion of a held run, says who holds it.
 */
export const waitForLease: Step<{ waitedMs: number }> = async (context) => {
  const { state, run } = context;
  const since = Date.now();
  // Waiting runs are served in their order: the state has to say `waiting` before the first try.
  await setRunState(state, run.id, 'waiting');
  failpoint('wait.waiting');
  await waitUntil(context, () => acquireLease(context));
  failpoint('wait.leased');
  await waitUntil(context, () => acquireTarget(context));
  failpoint('wait.held');
  await setRunState(state, run.id, 'running');
  return { waitedMs: Date.now() - since };
};

/** What is in the way: the error of a flow that does not wait, and the words for one that does. */
interface Obstacle {
  readonly error: FreshetError;
  readonly holder: string;
  /** What to do where it may never end by itself. */
  readonly remedy?: string;
}

/** Repeats `attempt` until nothing is in the way; tells once who is. */
async function waitUntil(context: RunContext, attempt: () => Promise<Obstacle | null>): Promise<void> {
  let told: string | null = null;
  for (;;) {
    const obstacle = await attempt();
    if (obstacle === null) return;
    if (!mayWait(context.run)) throw obstacle.error;
    const { holder, remedy = '' } = obstacle;
    if (told !== holder)
      await context.event(
        'info',
        'run.waiting',
        `waits for ${holder}, which holds ${context.run.environment}${remedy}`,
      );
    told = holder;
    await pause(leasePollMs, context.cancelled);
  }
}

/** Who promotes a held run by command wants it now, or to know why not: meanwhile it is held as it was. */
function mayWait({ flow, parameters }: Run): boolean {
  return flow === 'refresh' && parameters.released !== true;
}

async function acquireLease({ state, run }: RunContext): Promise<Obstacle | null> {
  const holder = await tryAcquireLease(state, {
    id: run.id,
    environment: run.environment,
    media: run.media,
    allowConcurrent: run.parameters.allowConcurrent,
  });
  if (holder === null) return null;
  return {
    error: environmentBusy(run.environment, holder),
    holder: `${holder.definition} (run ${holder.runId})`,
  };
}

async function acquireTarget(context: RunContext): Promise<Obstacle | null> {
  const holder = await holdTarget(context);
  if (holder === null) return null;
  return {
    error: targetHeld(context, holder),
    holder: `run ${holder.runId} (${holder.media}) of another state database, on ${holder.host}`,
    remedy: `; if that state database is gone for good: freshet release ${context.run.environment}`,
  };
}

export function environmentBusy(environment: string, holder: LeaseHolder): FreshetError {
  return new FreshetError(
    'ENVIRONMENT_BUSY',
    `${environment} is held by ${holder.definition} (run ${holder.runId}) since ${holder.acquiredAt.toISOString()}.`,
    { environment, run: holder.runId },
  );
}
