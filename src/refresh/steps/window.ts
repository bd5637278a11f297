import { failpoint } from '../../failpoints.js';
import { verificationValidMs, windowPollMs } from '../../limits.js';
import { pause } from '../../pause.js';
import { pausepoint } from '../../pausepoint.js';
import { listPhases } from '../../state/phases.js';
import type { RunContext } from '../context.js';
import type { Report, Step } from '../phase.js';
import { nextOpening } from '../windows.js';

export interface WindowOpened {
  readonly waitedMs: number;
  /** The verification is too long ago: writers went on, and who knows what else happened to tables and indexes. */
  readonly verifyAgain: boolean;
}

/** A candidate outside of its windows waits for the next one; it can be cancelled meanwhile. */
export const waitForWindow: Step<WindowOpened> = async (context, report) => {
  // What is half live must become live, whenever that is.
  if (context.run.promotionBeganAt !== null) return { waitedMs: 0, verifyAgain: false };
  const since = Date.now();
  await waitUntilOpen(context, report);
  const waitedMs = Date.now() - since;
  return { waitedMs, verifyAgain: await isVerificationOld(context) };
};

async function waitUntilOpen(context: RunContext, report: Report): Promise<void> {
  const { windows } = context.definition.environment.promotion;
  if (context.run.parameters.anyTime === true) return;
  const since = new Date();
  let told = 0;
  for (;;) {
    const now = new Date();
    const opening = nextOpening(windows, now);
    if (opening <= now) {
      const waited = minutesBetween(since, now);
      if (told !== 0) report({ done: waited, total: waited, unit: 'minutes waited' });
      return;
    }
    const until = `${opening.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    if (opening.getTime() !== told) {
      await context.event(
        'info',
        'promotion.window',
        `the candidate is finished; it waits for its promotion window, which opens at ${until}`,
      );
    }
    told = opening.getTime();
    report({
      done: minutesBetween(since, now),
      total: minutesBetween(since, opening),
      unit: `minutes until ${until}`,
    });
    failpoint('window.waiting');
    await pausepoint('window.waiting');
    // Looked at again and again instead of one long sleep: clocks are set, machines sleep.
    await pause(windowPollMs, context.cancelled);
  }
}

function minutesBetween(from: Date, to: Date): number {
  return Math.ceil((to.getTime() - from.getTime()) / 60_000);
}

async function isVerificationOld({ state, run }: RunContext): Promise<boolean> {
  const phases = await listPhases(state, run.id);
  const verifiedAt = phases.find((phase) => phase.name === 'verify')?.finishedAt ?? null;
  return verifiedAt !== null && Date.now() - verifiedAt.getTime() > verificationValidMs;
}
