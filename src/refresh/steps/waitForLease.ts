import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../../errors.js';
import { leasePollMs } from '../../limits.js';
import { setRunState } from '../../state/runs.js';
import { tryAcquireLease, type LeaseHolder } from '../../state/leases.js';
import type { Step } from '../phase.js';

/** Waits until no other run holds the environment. The filtered-index flow does not wait: it says who holds it. */
export const waitForLease: Step<{ waitedMs: number }> = async (context) => {
  const { state, run } = context;
  const since = Date.now();
  const request = {
    id: run.id,
    environment: run.environment,
    media: run.media,
    allowConcurrent: run.parameters.allowConcurrent,
  };
  // Waiting runs are served in their order: the state has to say `waiting` before the first try.
  await setRunState(state, run.id, 'waiting');
  let told: string | null = null;
  for (;;) {
    const holder = await tryAcquireLease(state, request);
    if (holder === null) break;
    if (run.flow === 'filtered-index') throw environmentBusy(run.environment, holder);
    if (told !== holder.runId) {
      await context.event(
        'info',
        'run.waiting',
        `waits for ${holder.definition} (run ${holder.runId}), which holds ${run.environment}`,
      );
    }
    told = holder.runId;
    await sleep(leasePollMs);
  }
  await setRunState(state, run.id, 'running');
  return { waitedMs: Date.now() - since };
};

function environmentBusy(environment: string, holder: LeaseHolder): FreshetError {
  return new FreshetError(
    'ENVIRONMENT_BUSY',
    `${environment} is held by ${holder.definition} (run ${holder.runId}) since ${holder.acquiredAt.toISOString()}.`,
    { environment, run: holder.runId },
  );
}
