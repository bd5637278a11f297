import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/postgres/names.js';
import {
  isOver,
  keptGenerations,
  runOfSession,
  whyRunKept,
  type SweepRules,
} from '../../../src/refresh/sweep/rules.js';
import type { Generation } from '../../../src/state/generations.js';
import type { KnownRun } from '../../../src/state/knownRuns.js';
import type { RunState } from '../../../src/state/words.js';

const now = new Date('2026-01-02T00:00:00Z');
const hour = 3_600_000;

const run = (id: string, state: RunState, more: Partial<KnownRun> = {}): [string, KnownRun] => [
  id,
  {
    id,
    environment: 'local',
    media: 'image',
    state,
    finishedAt: new Date(now.getTime() - hour),
    errorCode: null,
    promotionBegan: false,
    wasPromoted: false,
    isSuperseded: false,
    ...more,
  },
];

const rules = (more: Partial<SweepRules> = {}): SweepRules => ({
  environment: 'local',
  media: ['image'],
  runs: new Map([
    run('succeeded', 'succeeded'),
    run('cancelled', 'cancelled'),
    run('failed', 'failed', { errorCode: 'SLICE_FAILED' }),
    run('refused', 'refused', { errorCode: 'GATE_REFUSED' }),
    run('duplicates', 'failed', { errorCode: 'DUPLICATE_KEYS' }),
    run('superseded', 'failed', { isSuperseded: true }),
    run('held', 'held', { finishedAt: null }),
    run('running', 'running', { finishedAt: null }),
    run('elsewhere', 'succeeded', { environment: 'staging' }),
  ]),
  generations: [],
  keepPrevious: true,
  keepFailedMs: 24 * hour,
  now,
  ending: null,
  ...more,
});

describe('what a run made', () => {
  it.each([
    ['succeeded', null],
    ['cancelled', null],
    ['duplicates', null],
    ['superseded', null],
    ['failed', 'run failed can be retried until 2026-01-02T23:00:00.000Z: freshet retry failed'],
    ['refused', 'run refused can be retried until 2026-01-02T23:00:00.000Z: freshet retry refused'],
    ['held', 'run held is held: freshet promote held, or freshet cancel held'],
    ['running', 'run running is not over (running)'],
    ['elsewhere', 'run elsewhere belongs to staging'],
  ])('and %s: kept because %s', (id, reason) => {
    expect(whyRunKept(rules(), id)).toBe(reason);
  });

  it('and is unknown here is kept, with the command that says that its state is gone', () => {
    expect(whyRunKept(rules(), 'another')).toContain('freshet release local');
  });

  it('and failed goes after its time, or at once where none is given', () => {
    expect(whyRunKept(rules({ keepFailedMs: 0 }), 'failed')).toBeNull();
    expect(whyRunKept(rules({ now: new Date(now.getTime() + 23 * hour) }), 'failed')).toBeNull();
    expect(whyRunKept(rules({ now: new Date(now.getTime() + 23 * hour - 1) }), 'failed')).not.toBeNull();
  });

  it('and ends now goes although the state does not call it over yet', () => {
    expect(whyRunKept(rules({ ending: 'running' }), 'running')).toBeNull();
    expect(isOver(rules({ ending: 'running' }), 'running')).toBe(true);
  });
});

describe('what is at work for a run', () => {
  it('is left over when the run is, also of one that may be retried; never of a held, running or unknown one', () => {
    const ids = ['succeeded', 'failed', 'held', 'running', 'elsewhere', 'another'];
    expect(ids.filter((id) => isOver(rules(), id))).toEqual(['succeeded', 'failed']);
  });

  it('is known by the name of its session, whole or as a digest', () => {
    expect(runOfSession(rules(), 'freshet indexes failed 0badc0de')).toBe('failed');
    expect(runOfSession(rules(), `freshet copy ${digestOf('held')} 0badc0de`)).toBe('held');
    expect(runOfSession(rules(), 'freshet orchestrator 4711')).toBeNull();
    expect(runOfSession(rules(), 'psql')).toBeNull();
  });
});

describe('generations that stay', () => {
  const generation = (id: string, state: Generation['state'], media = 'image'): Generation => ({
    id,
    environment: 'local',
    media,
    runId: id,
    state,
    tables: {},
    mainIndex: id,
    filteredIndex: `${id}-filtered`,
    createdAt: now,
    promotedAt: now,
  });
  const generations = [
    generation('new', 'candidate'),
    generation('live', 'live'),
    generation('before', 'previous'),
    generation('older', 'previous'),
    generation('audio', 'live', 'audio'),
  ];

  it('are the live one and the newest previous one of the media types that are looked at', () => {
    const ids = (more: Partial<SweepRules>) =>
      keptGenerations(rules({ generations, ...more })).map(({ id }) => id);
    expect(ids({})).toEqual(['live', 'before']);
    expect(ids({ keepPrevious: false })).toEqual(['live']);
    expect(ids({ media: ['image', 'audio'] })).toEqual(['live', 'before', 'audio']);
  });
});
