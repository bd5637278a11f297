import { failpoint } from '../../failpoints.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';
import { sweep, type Leftover } from '../sweep.js';

export interface CleanedUp {
  readonly tables: readonly string[];
  readonly indexes: readonly string[];
}

/** The phases that remove what no kept generation uses. */
type RemovingPhase = 'preflight' | 'clean-up';

/** After a promotion: what was live is kept as the previous generation, the one before it goes, and so does what runs that are over left. */
export const cleanUp: Step<CleanedUp> = (context) =>
  removeUnused(context, { keepPrevious: true, phase: 'clean-up' });

/** Before a run: what runs that are over left goes; the previous generation too, where the configuration wants its room for the run. */
export const sweepLeftovers: Step<CleanedUp> = (context) =>
  removeUnused(context, {
    keepPrevious: context.definition.environment.keepPreviousUntil === 'next promotion',
    phase: 'preflight',
  });

/** A run of the same tables ends the time in which an earlier one could have been retried: what that had kept is in the way. */
async function removeUnused(
  context: RunContext,
  { keepPrevious, phase }: { keepPrevious: boolean; phase: RemovingPhase },
): Promise<CleanedUp> {
  const { environment, media } = context.run;
  const { removed, failures } = await sweep(context, {
    environment,
    media,
    ending: null,
    keepPrevious,
    keepFailedMs: 0,
    dryRun: false,
    signal: context.cancelled,
    passed: (point) => failpoint(`${phase}.${point}`),
  });
  if (failures[0] !== undefined) throw failures[0].error;
  const names = (kind: Leftover['kind']): string[] =>
    removed.filter((one) => one.kind === kind).map(({ name }) => name);
  return { tables: names('table'), indexes: names('index') };
}
