import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weekdays, type PromotionWindow, type Weekday } from '../../../src/config/types.js';
import { nextOpening } from '../../../src/refresh/windows.js';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

const window = (from: string, to: string, ...days: Weekday[]): PromotionWindow => ({
  days: days.length === 0 ? [...weekdays] : days,
  from,
  to,
});

const opens = (windows: PromotionWindow[], now: string): string =>
  nextOpening(windows, new Date(now)).toISOString();

describe('the next promotion window', () => {
  it('is now where none is configured', () => {
    expect(opens([], '2026-10-06T12:00:00Z')).toBe('2026-10-06T12:00:00.000Z');
  });

  // 6 October 2026 is a Tuesday.
  it.each([
    [
      'is now while one is open',
      window('02:00', '05:00'),
      '2026-10-06T03:10:11Z',
      '2026-10-06T03:10:11.000Z',
    ],
    [
      'is open from its first moment',
      window('02:00', '05:00'),
      '2026-10-06T02:00:00Z',
      '2026-10-06T02:00:00.000Z',
    ],
    ['is closed from its last', window('02:00', '05:00'), '2026-10-06T05:00:00Z', '2026-10-07T02:00:00.000Z'],
    ['is later today', window('02:00', '05:00'), '2026-10-06T01:59:59Z', '2026-10-06T02:00:00.000Z'],
    ['goes on over midnight', window('22:00', '04:00'), '2026-10-06T03:00:00Z', '2026-10-06T03:00:00.000Z'],
    [
      'over midnight belongs to the day on which it opens',
      window('22:00', '04:00', 'monday'),
      '2026-10-06T03:00:00Z',
      '2026-10-06T03:00:00.000Z',
    ],
    [
      'of the day after midnight is another one',
      window('22:00', '04:00', 'tuesday'),
      '2026-10-06T03:00:00Z',
      '2026-10-06T22:00:00.000Z',
    ],
    ['is next week', window('02:00', '05:00', 'tuesday'), '2026-10-06T05:00:00Z', '2026-10-13T02:00:00.000Z'],
    [
      'of a whole day has no gap at midnight',
      window('00:00', '24:00', 'tuesday'),
      '2026-10-06T23:59:59.999Z',
      '2026-10-06T23:59:59.999Z',
    ],
    [
      'of a whole day ends with it',
      window('00:00', '24:00', 'tuesday'),
      '2026-10-07T00:00:00Z',
      '2026-10-13T00:00:00.000Z',
    ],
  ])('%s', (_what, one, now, expected) => {
    expect(opens([one], now)).toBe(expected);
  });

  it('is the first of several', () => {
    const windows = [window('02:00', '05:00', 'friday'), window('20:00', '21:00', 'wednesday')];
    expect(opens(windows, '2026-10-06T12:00:00Z')).toBe('2026-10-07T20:00:00.000Z');
  });
});

/** Another way to the same: the minutes of a week in which a window is open, looked up one by one. */
function openMinutes(windows: readonly PromotionWindow[]): boolean[] {
  const week = Array.from({ length: 7 * 24 * 60 }, () => false);
  for (const { days, from, to } of windows) {
    for (const day of days) {
      const at = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
      let minute = at(from);
      do {
        week[(weekdays.indexOf(day) * 24 * 60 + minute) % week.length] = true;
        minute += 1;
      } while (minute % (24 * 60) !== at(to) % (24 * 60));
    }
  }
  return week;
}

/** Minutes since a Monday's midnight, modulo a week. 5 January 1970 was a Monday. */
const minuteOfWeek = (time: number): number => Math.floor((time - 4 * dayMs) / minuteMs) % (7 * 24 * 60);

const timeOfDay = fc
  .integer({ min: 0, max: 24 * 60 - 1 })
  .map((minute) => new Date(minute * minuteMs).toISOString().slice(11, 16));
const anyWindow = fc
  .record({
    days: fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1 }),
    from: timeOfDay,
    to: fc.oneof({ weight: 9, arbitrary: timeOfDay }, { weight: 1, arbitrary: fc.constant('24:00') }),
  })
  .filter(({ from, to }) => from !== to);
const windowsOf = fc.array(anyWindow, { minLength: 1, maxLength: 4 });
const anyMoment = fc
  .integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2090, 0, 1) })
  .map((time) => new Date(time));

describe('whatever the windows and the moment', () => {
  it('the opening is not in the past, at most a week away, and a moment in which a window is open', () => {
    fc.assert(
      fc.property(windowsOf, anyMoment, (windows, now) => {
        const opening = nextOpening(windows, now).getTime();
        expect(opening).toBeGreaterThanOrEqual(now.getTime());
        expect(opening - now.getTime()).toBeLessThanOrEqual(7 * dayMs);
        expect(openMinutes(windows)[minuteOfWeek(opening)]).toBe(true);
      }),
    );
  });

  it('no window is open between now and the opening', () => {
    fc.assert(
      fc.property(windowsOf, anyMoment, (windows, now) => {
        const week = openMinutes(windows);
        const opening = nextOpening(windows, now).getTime();
        for (let time = now.getTime(); time < opening; time += minuteMs) {
          if (week[minuteOfWeek(time)] === true) throw new Error(`open at ${new Date(time).toISOString()}`);
        }
      }),
    );
  });

  it('asked again at the opening it is that moment', () => {
    fc.assert(
      fc.property(windowsOf, anyMoment, (windows, now) => {
        const opening = nextOpening(windows, now);
        expect(nextOpening(windows, opening)).toEqual(opening);
      }),
    );
  });
});
