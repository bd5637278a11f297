import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs, RequestWindow } from '../../../src/indexing/requestWindow.js';

describe('the window of requests under way', () => {
  test('is halved under pressure, never below one, and grows again to its maximum', () => {
    const window = new RequestWindow(8);
    window.onPressure();
    expect(window.size).toBe(4);
    for (let i = 0; i < 5; i += 1) window.onPressure();
    expect(window.size).toBe(1);
    for (let i = 0; i < 10; i += 1) window.onCalm();
    expect(window.size).toBe(2);
    for (let i = 0; i < 1_000; i += 1) window.onCalm();
    expect(window.size).toBe(8);
  });
});

describe('the wait before a repetition', () => {
  test('doubles, stays within its longest, and is never less than half of that', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const wholeMs = Math.min(15_000, 100 * 2 ** Math.min(attempt, 30));
        const waitMs = backoffMs(attempt, 100, 15_000, () => random);
        expect(waitMs).toBeGreaterThanOrEqual(wholeMs / 2);
        expect(waitMs).toBeLessThanOrEqual(wholeMs);
      }),
    );
  });
});
