import { Cron } from 'croner';

/**
 * The first time after `after` that a cron expression of five numeric fields names, in UTC; null when none ever comes (`0 0 31 2 *`). Where both
 * days are restricted either one counts, as everywhere. Throws where a step is larger than its field.
 */
export function nextTick(expression: string, after: Date): Date | null {
  const options = { timezone: 'UTC', mode: '5-part', sloppyRanges: true, paused: true } as const;
  return new Cron(expression, options).nextRun(after);
}

/** Whether the expression names any time at all. */
export function hasTick(expression: string): boolean {
  try {
    return nextTick(expression, new Date()) !== null;
  } catch {
    return false;
  }
}
