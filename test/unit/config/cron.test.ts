import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasTick, nextTick } from '../../../src/config/cron.js';
import { isCronExpression } from '../../../src/config/fields.js';

const at = (text: string): Date => new Date(text);

describe('the next time that a schedule names', () => {
  it.each([
    ['0 0 * * 1', '2026-11-24T12:00:00Z', '2026-11-30T00:00:00Z'],
    ['0 0 * * 1', '2026-11-29T23:59:59.999Z', '2026-11-30T00:00:00Z'],
    ['0 0 * * 1', '2026-11-30T00:00:00Z', '2026-12-07T00:00:00Z'],
    ['0 0 * * 1', '2026-11-30T00:00:00.001Z', '2026-12-07T00:00:00Z'],
    ['0 0 * * 7', '2026-11-24T12:00:00Z', '2026-11-29T00:00:00Z'],
    ['5/20 3 * * *', '2026-11-24T03:05:00Z', '2026-11-24T03:25:00Z'],
    ['0 0 29 2 *', '2026-11-24T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0  0   *  * 1', '2026-11-24T12:00:00Z', '2026-11-30T00:00:00Z'],
  ])('of %s after %s is %s', (expression, after, next) => {
    expect(nextTick(expression, at(after))).toEqual(at(next));
  });

  it('is one of either day where both days are restricted', () => {
    expect(nextTick('0 0 1 * 1', at('2026-11-24T00:00:00Z'))).toEqual(at('2026-11-30T00:00:00Z'));
    expect(nextTick('0 0 1 * 1', at('2026-11-30T00:00:00Z'))).toEqual(at('2026-12-01T00:00:00Z'));
  });

  it('knows no summer time: UTC', () => {
    // Clocks of central Europe and of the United States change on these days.
    expect(nextTick('30 2 * * *', at('2026-03-28T12:00:00Z'))).toEqual(at('2026-03-29T02:30:00Z'));
    expect(nextTick('30 1 * * *', at('2026-10-31T12:00:00Z'))).toEqual(at('2026-11-01T01:30:00Z'));
  });

  it.each(['0 0 31 2 *', '0 0 31 4,6 *', '*/100 * * * *', '0 0 * * */9'])(
    'of %s never comes',
    (expression) => {
      expect(isCronExpression(expression)).toBe(true);
      expect(hasTick(expression)).toBe(false);
    },
  );
});

/** The values that a field names, read by hand. */
function valuesOf(field: string, low: number, high: number): Set<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step] = part.split('/');
    const [first = '', last] = range.split('-');
    const from = range === '*' ? low : Number(first);
    const to = range === '*' || (last === undefined && step !== undefined) ? high : Number(last ?? first);
    for (let value = from; value <= to; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

/** Minute by minute, as the manual of cron has it. */
function namesMinute(expression: string, minute: Date): boolean {
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = expression.split(' ');
  const isDay = valuesOf(days, 1, 31).has(minute.getUTCDate());
  const named = valuesOf(weekdays, 0, 7);
  const isWeekday = named.has(minute.getUTCDay()) || (minute.getUTCDay() === 0 && named.has(7));
  const both = days === '*' || weekdays === '*' ? isDay && isWeekday : isDay || isWeekday;
  return (
    valuesOf(minutes, 0, 59).has(minute.getUTCMinutes()) &&
    valuesOf(hours, 0, 23).has(minute.getUTCHours()) &&
    valuesOf(months, 1, 12).has(minute.getUTCMonth() + 1) &&
    both
  );
}

const field = (low: number, high: number, stepMax: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min: low, max: high });
  const step = fc.integer({ min: 1, max: stepMax });
  const range = fc
    .tuple(value, value)
    .map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`);
  const part = fc.oneof(
    value.map(String),
    range,
    fc.tuple(range, step).map(([of, by]) => `${of}/${by}`),
  );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    step.map((by) => `*/${by}`),
    fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')),
  );
};

describe('a schedule of five numeric fields', () => {
  it('names the minutes that the manual of cron says', () => {
    const expressions = fc
      .tuple(field(0, 59, 60), field(0, 23, 24), field(1, 31, 31), fc.constant('*'), field(0, 6, 7))
      .map((fields) => fields.join(' '));
    const moments = fc.date({ min: at('2024-01-01'), max: at('2032-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(expressions, moments, (expression, after) => {
        expect(isCronExpression(expression)).toBe(true);
        let minute = new Date(Math.floor(after.getTime() / 60_000) * 60_000 + 60_000);
        const limit = after.getTime() + 3 * 86_400_000;
        while (minute.getTime() <= limit && !namesMinute(expression, minute)) {
          minute = new Date(minute.getTime() + 60_000);
        }
        const next = nextTick(expression, after);
        if (minute.getTime() <= limit) expect(next).toEqual(minute);
        else expect(next === null || next.getTime() > limit).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
