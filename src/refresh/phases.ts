/** The phases of a data refresh, in the order of their start. */
export const refreshPhases = [
  'wait',
  'preflight',
  'count-before',
  'copy',
  'keys',
  'create-indexes',
  'reindex',
  'constraints',
  'filtered-index',
  'serving',
  'reconcile',
  'verify',
  'promote',
  'clean-up',
  'count-after',
] as const;

/** The phases of the filtered-index flow. */
export const filteredIndexPhases = [
  'wait',
  'preflight',
  'applied-sets',
  'create-indexes',
  'filtered-index',
  'serving',
  'reconcile',
  'verify',
  'promote',
  'clean-up',
  'count-after',
] as const;

export type PhaseName = (typeof refreshPhases)[number] | (typeof filteredIndexPhases)[number];

/** What every attempt does again: who holds the environment, and what there is, may have changed since the last one. */
export const phasesOfEveryAttempt = ['wait', 'preflight'] as const satisfies readonly PhaseName[];

/** What the promotion of a held run does again: hours may have passed since it was verified. */
export const firstPhaseAfterHold = 'reconcile' satisfies PhaseName;
