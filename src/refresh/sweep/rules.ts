import type { ErrorCode } from '../../errors.js';
import { digestOf } from '../../postgres/names.js';
import type { Generation } from '../../state/generations.js';
import type { KnownRun } from '../../state/knownRuns.js';

/** Something that a run made or has open, and that it did not take along when it ended. */
export interface Leftover {
  readonly kind: 'table' | 'index' | 'alias' | 'task' | 'session' | 'worker' | 'rows' | 'holder';
  /** `public.temp_import_image`, `image-abc`, `worker 1.1`. */
  readonly name: string;
  readonly runId: string;
  /** Why it stays; null = it goes. */
  readonly kept: string | null;
}

/** What decides whether something may go. Everything that is not certain stays. */
export interface SweepRules {
  readonly environment: string;
  /** Media types that are looked at. */
  readonly media: readonly string[];
  /** Every run that the state knows. */
  readonly runs: ReadonlyMap<string, KnownRun>;
  /** The generations of the environment that are not gone, newest first. */
  readonly generations: readonly Generation[];
  /** Whether the previous generation stays. */
  readonly keepPrevious: boolean;
  /** What a run made that can be retried stays so long after its end, ms; 0 = it goes. */
  readonly keepFailedMs: number;
  readonly now: Date;
  /** The run whose end this is: nothing of it is needed any more. Null = none ends. */
  readonly ending: string | null;
}

/** Refusals of the catalog's records, and cancellations: what was made is of no use to anybody, only a new copy is. */
const uselessAfter: readonly string[] = [
  'DUPLICATE_KEYS',
  'REQUIRED_COLUMN_EMPTY',
  'CONSTRAINT_VIOLATED',
  'RUN_CANCELLED',
] satisfies ErrorCode[];

/** Whether what a run made may be gone on with after it failed so. */
export function isUselessAfter(code: string): boolean {
  return uselessAfter.includes(code);
}

/** Live, and the newest previous one where it is to stay: the one before it has had its time. */
export function keptGenerations({ generations, media, keepPrevious }: SweepRules): Generation[] {
  return media.flatMap((name) => {
    const own = generations.filter((generation) => generation.media === name);
    const live = own.filter((generation) => generation.state === 'live');
    const previous = own.find((generation) => generation.state === 'previous');
    return keepPrevious && previous !== undefined ? [...live, previous] : live;
  });
}

/** Why what a run made stays although no kept generation uses it; null = it may go. */
export function whyRunKept(rules: SweepRules, runId: string): string | null {
  const run = rules.runs.get(runId);
  if (run === undefined) {
    return `this state database does not know run ${runId}; if the one that did is gone for good: freshet release ${rules.environment}`;
  }
  if (run.environment !== rules.environment) return `run ${runId} belongs to ${run.environment}`;
  if (rules.ending === runId) return null;
  if (run.state === 'held')
    return `run ${runId} is held: freshet promote ${runId}, or freshet cancel ${runId}`;
  if (run.finishedAt === null) return `run ${runId} is not over (${run.state})`;
  const until = keptUntil(run, rules.keepFailedMs);
  if (until === null || until <= rules.now) return null;
  return `run ${runId} can be retried until ${until.toISOString()}: freshet retry ${runId}`;
}

/** How long what a run made that failed waits for a retry; null where none is possible. */
function keptUntil(
  { state, finishedAt, errorCode, isSuperseded }: KnownRun,
  keepFailedMs: number,
): Date | null {
  const isRetryable = (state === 'failed' || state === 'refused') && !isSuperseded;
  if (!isRetryable || finishedAt === null || isUselessAfter(errorCode ?? '')) return null;
  return new Date(finishedAt.getTime() + keepFailedMs);
}

/** Whether a run of this environment is over, so that nothing of it may be at work any more. */
export function isOver({ runs, environment, ending }: SweepRules, runId: string): boolean {
  const run = runs.get(runId);
  return run?.environment === environment && (run.finishedAt !== null || runId === ending);
}

/** The run that a session says it belongs to (`freshet <what> <run> <process>`), or null. */
export function runOfSession({ runs }: SweepRules, applicationName: string): string | null {
  const named = /^freshet \w+ (\S+)/.exec(applicationName)?.[1];
  if (named === undefined) return null;
  if (runs.has(named)) return named;
  // A long id is named by its digest.
  return [...runs.keys()].find((id) => digestOf(id) === named) ?? null;
}
