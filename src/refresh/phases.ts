import type { PromotionSettings } from '../config/types.js';
import type { Run } from '../state/runs.js';

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
  'show-candidate',
  'window',
  'before-hooks',
  'promote',
  'after-hooks',
  'clean-up',
  'count-after',
] as const;

/** The phases of the filtered-index flow. */
const filteredIndexPhases = [
  'wait',
  'preflight',
  'applied-sets',
  'create-indexes',
  'filtered-index',
  'serving',
  'reconcile',
  'verify',
  'window',
  'before-hooks',
  'promote',
  'after-hooks',
  'clean-up',
  'count-after',
] as const;

/** The phases of a rollback. */
const rollbackPhases = ['wait', 'preflight', 'serving', 'reconcile', 'promote', 'after-hooks'] as const;

export type PhaseName = (typeof refreshPhases)[number] | (typeof filteredIndexPhases)[number];

const phasesByFlow = {
  refresh: refreshPhases,
  'filtered-index': filteredIndexPhases,
  rollback: rollbackPhases,
} as const satisfies Record<Run['flow'], readonly PhaseName[]>;

/** What every attempt does again: who holds the environment, and what there is, may have changed since the last one. */
export const phasesOfEveryAttempt = ['wait', 'preflight'] as const satisfies readonly PhaseName[];

/** What the promotion of a held run does again: hours may have passed since it was verified. */
export const firstPhaseAfterHold = 'reconcile' satisfies PhaseName;

/** A retry may come a day later: what writers did since, the gate, window and hooks, unless something of the run may be live already. */
export function phasesOfRetry({ promotionBeganAt }: Pick<Run, 'promotionBeganAt'>): readonly PhaseName[] {
  return promotionBeganAt === null
    ? [...phasesOfEveryAttempt, 'reconcile', 'verify', 'window', 'before-hooks']
    : phasesOfEveryAttempt;
}

/** What is done again when a candidate has waited long for its window. */
export const phasesAfterWait = ['reconcile', 'verify', 'window'] as const satisfies readonly PhaseName[];

/** The phases that a new run is listed with: those that everybody has, and those that it was asked for or that are configured. */
export function plannedPhases(
  flow: Run['flow'],
  { hold, promotion }: { readonly hold: boolean; readonly promotion: PromotionSettings },
): readonly PhaseName[] {
  const isPlanned: Partial<Record<PhaseName, boolean>> = {
    'show-candidate': hold,
    window: promotion.windows.length > 0,
    'before-hooks': promotion.before.length > 0,
    'after-hooks': promotion.after.length > 0,
  };
  return phasesByFlow[flow].filter((name) => isPlanned[name] ?? true);
}
