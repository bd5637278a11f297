import { exitStatus, messageOf } from '../errors.js';
import { secondInterruptMs } from '../limits.js';
import { cancelRun } from '../refresh/changeRun.js';
import { listUnfinishedRuns } from '../state/runs.js';
import { colors } from './colors.js';
import { tellWhileFollowing } from './followRun.js';
import { writeNote } from './output.js';
import type { CommandServices } from './services.js';

export interface Interrupts {
  /** Takes away what answers to Ctrl-C, once there is no run to go on with. */
  readonly disarm: () => void;
  /** Whether Ctrl-C has cancelled the run that is followed. */
  hasCancelled(): boolean;
}

export interface InterruptOptions {
  /** What becomes of the run when this command is left, and the command that goes on. */
  readonly whatNow: string;
  /** The run that is followed now and that Ctrl-C may cancel; null = none. */
  readonly followed?: () => string | null;
}

/**
 * Ctrl-C and SIGTERM leave the run where it is and stop what this command started. On a terminal, while a run is followed, Ctrl-C leaves only
 * after `secondInterruptMs`: pressed again within that time it cancels the run, which is then followed to its end; a third time it leaves at
 * once. Elsewhere nobody could read about that, so the first SIGINT leaves.
 */
export function endOnInterrupt(services: CommandServices, options: InterruptOptions): Interrupts {
  const { whatNow, followed = () => null } = options;
  let presses = 0;
  let isLeaving = false;
  let isCancelled = false;
  let leaving: NodeJS.Timeout | undefined;

  const leave = (): void => {
    if (isLeaving) process.exit(exitStatus.interrupted);
    isLeaving = true;
    services.beginClosing();
    describeInterruption(services)
      .then((what) => writeNote(`\n${colors.yellow('interrupted')}: ${what} ${whatNow}`))
      .then(() => services.close())
      .catch((error: unknown) => writeNote(String(error)))
      .finally(() => process.exit(exitStatus.interrupted));
  };

  const askAgain = (): void => {
    tellWhileFollowing(
      `${colors.yellow('interrupted')}: Ctrl-C again cancels the run. Without it the run is left as it is in ${secondInterruptMs / 1000} s. ${whatNow}`,
    );
    leaving = setTimeout(() => {
      // Over by itself meanwhile: the command ends as it would have.
      if (followed() !== null) leave();
    }, secondInterruptMs);
  };

  const cancel = async (runId: string): Promise<void> => {
    clearTimeout(leaving);
    try {
      await cancelRun(services, runId);
      isCancelled = true;
      tellWhileFollowing(
        `${colors.yellow('cancelling')}: what the run has made is removed; Ctrl-C again ends this command at once.`,
      );
    } catch (error) {
      tellWhileFollowing(
        `${colors.yellow('not cancelled')}: ${messageOf(error)} Ctrl-C again ends this command at once.`,
      );
    }
  };

  const interrupt = (): void => {
    const runId = followed();
    if (isLeaving || runId === null || !process.stderr.isTTY) return leave();
    presses += 1;
    if (presses === 1) askAgain();
    else if (presses === 2) void cancel(runId);
    else process.exit(exitStatus.interrupted);
  };

  process.on('SIGINT', interrupt);
  process.on('SIGTERM', leave);
  return {
    disarm: () => {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', leave);
    },
    hasCancelled: () => isCancelled,
  };
}

/** Between swap and alias move "nothing was changed" would be false. */
export async function describeInterruption({ state }: CommandServices): Promise<string> {
  const runs = await listUnfinishedRuns(state, null).catch(() => []);
  const promoting = runs.find((run) => run.state === 'promoting');
  if (promoting === undefined) return 'nothing that is live was changed by that.';
  return `the promotion of ${promoting.media} has begun; let it end soon, until then tables and aliases may differ.`;
}
