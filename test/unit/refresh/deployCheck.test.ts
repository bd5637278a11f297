import { describe, expect, it } from 'vitest';
import { estimateEnds } from '../../../src/refresh/deployCheck.js';
import type { UnfinishedRun } from '../../../src/state/activity.js';

const now = new Date('2026-11-30T02:00:00Z');
const minutes = (count: number): number => count * 60_000;
const inMinutes = (count: number): Date => new Date(now.getTime() + minutes(count));

const run = (facts: Partial<UnfinishedRun>): UnfinishedRun => ({
  id: 'r',
  definition: 'production_image_data_refresh',
  media: 'image',
  flow: 'refresh',
  state: 'running',
  attempt: 1,
  createdAt: inMinutes(-70),
  startedAt: inMinutes(-60),
  earlierMs: [minutes(100), minutes(90), minutes(400)],
  ...facts,
});

const waiting = (facts: Partial<UnfinishedRun> = {}): UnfinishedRun =>
  run({ id: 'w', state: 'waiting', startedAt: null, earlierMs: [minutes(30)], ...facts });

describe('the expected end of a run', () => {
  it('is as long after its start as the middle one of the last successful runs took', () => {
    expect(estimateEnds([run({})], now)).toMatchObject([
      { since: inMinutes(-60), expectedEnd: inMinutes(40), estimatedFrom: 3 },
    ]);
  });

  it('of one that waits counts from the end of those before it', () => {
    const ends = estimateEnds([run({}), waiting(), waiting({ id: 'w2', earlierMs: [minutes(5)] })], now);
    expect(ends.map(({ expectedEnd }) => expectedEnd)).toEqual([inMinutes(40), inMinutes(70), inMinutes(75)]);
    expect(ends[1]?.since).toEqual(inMinutes(-70));
  });

  it('of one that waits for one that is overdue counts from now', () => {
    const ends = estimateEnds([run({ startedAt: inMinutes(-200) }), waiting()], now);
    expect(ends.map(({ expectedEnd }) => expectedEnd)).toEqual([inMinutes(-100), inMinutes(30)]);
  });

  it.each([
    ['without a successful run before', { earlierMs: [] }],
    ['of one that was retried', { attempt: 2 }],
  ])('%s is not known, nor that of one that waits for it', (_what, facts) => {
    const ends = estimateEnds([run(facts), waiting()], now);
    expect(ends.map(({ expectedEnd, estimatedFrom }) => [expectedEnd, estimatedFrom])).toEqual([
      [null, 0],
      [null, 0],
    ]);
  });
});
