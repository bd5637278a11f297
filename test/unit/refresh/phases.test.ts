import { expect, it } from 'vitest';
import type { PromotionSettings } from '../../../src/config/types.js';
import { plannedPhases } from '../../../src/refresh/phases.js';

const none: PromotionSettings = { windows: [], lockWindowMinutes: 1, before: [], after: [] };
const all: PromotionSettings = {
  windows: [{ days: ['monday'], from: '02:00', to: '03:00' }],
  lockWindowMinutes: 1,
  before: [{ command: ['ask'], timeoutSeconds: 1 }],
  after: [{ url: { env: 'TELL' }, timeoutSeconds: 1 }],
};
const optional = ['show-candidate', 'window', 'before-hooks', 'after-hooks'];
const around = (flow: 'refresh' | 'filtered-index', hold: boolean, promotion: PromotionSettings) =>
  plannedPhases(flow, { hold, promotion }).filter((name) => name === 'promote' || optional.includes(name));

it('a run is listed with the phases around its promotion that it was asked for or that are configured', () => {
  expect(around('refresh', false, none)).toEqual(['promote']);
  expect(around('refresh', true, none)).toEqual(['show-candidate', 'promote']);
  expect(around('refresh', true, all)).toEqual([
    'show-candidate',
    'window',
    'before-hooks',
    'promote',
    'after-hooks',
  ]);
  expect(around('filtered-index', false, all)).toEqual(['window', 'before-hooks', 'promote', 'after-hooks']);
});
