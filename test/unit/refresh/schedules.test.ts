import { describe, expect, it } from 'vitest';
import { ticksOf } from '../../../src/refresh/schedules.js';

const at = (text: string): Date => new Date(`2026-11-30T${text}Z`);
const weekly = '0 0 * * 1';

describe('what a schedule has named since it was settled', () => {
  it.each([
    // Nothing yet, the moment itself, and a moment later.
    [weekly, '2026-11-24T00:00:00Z', '2026-11-29T23:59:59.999Z', null, null],
    [weekly, '2026-11-24T00:00:00Z', '2026-11-30T00:00:00Z', null, '2026-11-30T00:00:00Z'],
    [weekly, '2026-11-24T00:00:00Z', '2026-11-30T00:00:01Z', null, '2026-11-30T00:00:00Z'],
    // Within the grace of five minutes, at its end, and after it.
    [weekly, '2026-11-24T00:00:00Z', '2026-11-30T00:04:59.999Z', null, '2026-11-30T00:00:00Z'],
    [weekly, '2026-11-24T00:00:00Z', '2026-11-30T00:05:00Z', '2026-11-30T00:00:00Z', null],
    [weekly, '2026-11-24T00:00:00Z', '2026-12-02T00:00:00Z', '2026-11-30T00:00:00Z', null],
    // Settled: fired, skipped, or before the schedule was known.
    [weekly, '2026-11-30T00:00:00Z', '2026-11-30T00:00:01Z', null, null],
    [weekly, '2026-11-30T00:02:00Z', '2026-11-30T00:03:00Z', null, null],
  ])('%s, settled until %s, at %s: missed %s, due %s', (expression, settled, now, missed, due) => {
    expect(ticksOf(expression, new Date(settled), new Date(now))).toEqual({
      missed: missed === null ? null : new Date(missed),
      due: due === null ? null : new Date(due),
    });
  });

  it('is not made up for: of several that are due only the last is fired', () => {
    expect(ticksOf('* * * * *', at('00:00:00'), at('00:03:30'))).toEqual({
      missed: null,
      due: at('00:03:00'),
    });
  });

  it('after a long time is the first that was missed and the last that is due', () => {
    expect(ticksOf('*/10 * * * *', at('00:00:00'), at('01:01:00'))).toEqual({
      missed: at('00:10:00'),
      due: at('01:00:00'),
    });
  });

  it('is nothing where a clock was set back', () => {
    expect(ticksOf('* * * * *', at('10:00:00'), at('09:00:00'))).toEqual({ missed: null, due: null });
  });
});
