/** The words of the state machine (ARCHITECTURE.md has the diagram). The same in tables, code, command line, API and docs. */

export const runStates = [
  'queued',
  'waiting',
  'running',
  'verifying',
  /** Finished up to the promotion, which a command begins (`freshet promote`). Holds no lease. */
  'held',
  'promoting',
  'succeeded',
  'failed',
  'cancelled',
  'refused',
  'rolled back',
] as const;
export type RunState = (typeof runStates)[number];

/** States in which nothing of the run goes on any more. */
export const finalRunStates = [
  'succeeded',
  'failed',
  'cancelled',
  'refused',
  'rolled back',
] as const satisfies readonly RunState[];

export function isOver(state: RunState): boolean {
  return (finalRunStates as readonly RunState[]).includes(state);
}

export type PhaseState = 'pending' | 'running' | 'done' | 'failed' | 'skipped';
export type SliceState = 'pending' | 'claimed' | 'done';
export type WorkerState = 'requested' | 'pending' | 'ready' | 'terminating' | 'gone';
export type GenerationState = 'candidate' | 'live' | 'previous' | 'gone';
export type Flow = 'refresh' | 'filtered-index' | 'rollback';
