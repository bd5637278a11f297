import { isLaterAttempt, numberOf, type Cell, type Flow } from './matrix.js';
import type { Media } from './model/media.js';
import type { Kill } from './processes.js';

/** What a round does, by its seed and its cells alone. */

/**
 * Who goes on with the run: the same command again, a process that waits already, or `freshet up`, started afterwards (only where the command goes
 * on with a run that there is).
 */
export type Recovery = 'restart' | 'standby' | 'up';

/** One run that dies at one or several points in turn, is recovered, and is judged. */
export interface RoundPlan {
  readonly seed: number;
  /** Of one flow, in the order of a run. */
  readonly cells: readonly [Cell, ...Cell[]];
}

/** A cancelled run has got so far: everything that it makes is there. */
export const cancelledAt: Kill = { failpoint: 'verify.before', passage: 1, isBeforePromotion: true };

/** A run that gives up after half a day has got so far: its tables are live, its aliases are not moved. */
export const givenUpAt: Kill = { failpoint: 'swap.afterCommit', passage: 1, isBeforePromotion: false };

function deathsAt(cell: Cell, seed: number): Kill[] {
  const { failpoint, passages, isBeforePromotion, after } = cell;
  const passage = 1 + (((numberOf(cell) >>> 4) + seed) % passages);
  const kill = { failpoint, passage, isBeforePromotion };
  return after === null ? [kill] : [{ failpoint: after, passage: 1, isBeforePromotion: true }, kill];
}

/** Where the run's processes die, in turn. Cells of a chain that need the same first death share it. */
export function killsOf(cells: readonly Cell[], seed: number): Kill[] {
  const kills = cells.flatMap((cell) => deathsAt(cell, seed));
  return kills.filter(
    (kill, place) => kills.findIndex(({ failpoint }) => failpoint === kill.failpoint) === place,
  );
}

export function mediaOf(number: number, seed: number): Media {
  return ((number >>> 8) + (seed >>> 1)) % 2 === 0 ? 'image' : 'audio';
}

export function commandOf(flow: Flow, media: Media): string[] {
  if (flow === 'filtered-index' || flow === 'rollback') return [flow, 'local', media];
  const refresh = ['refresh', 'local', media];
  if (flow === 'skip-copy') return [...refresh, '--skip-copy-data'];
  return flow === 'hold' || flow === 'promote' ? [...refresh, '--hold'] : refresh;
}

export function recoveryOf(flow: Flow, number: number, seed: number): Recovery {
  if (['cancel', 'window', 'recover', 'release'].includes(flow)) return 'restart';
  const choice = (number >>> 16) + seed;
  if (isLaterAttempt(flow)) return (['restart', 'standby', 'up'] as const)[choice % 3] ?? 'restart';
  return choice % 2 === 0 ? 'restart' : 'standby';
}

/** A command that died so has added nothing. */
export function isUncommitted(kill: Kill | undefined): boolean {
  return kill?.failpoint === 'enqueue.written' || kill?.failpoint === 'enqueue.beforeCommit';
}
