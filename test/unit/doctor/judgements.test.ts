import { describe, expect, it } from 'vitest';
import { configSchema } from '../../../src/config/schema.js';
import { judgeDisks, judgeHealth } from '../../../src/refresh/doctor/cluster.js';
import { attempt, findingOf } from '../../../src/refresh/doctor/finding.js';
import { judgeLeftovers, judgeUnmarked, rulesOf } from '../../../src/refresh/doctor/leftovers.js';
import { judgeIds, type IdFacts } from '../../../src/refresh/doctor/sequences.js';
import {
  judgeCatalog,
  judgeSameDatabase,
  judgeTarget,
  type ServerFacts,
} from '../../../src/refresh/doctor/servers.js';
import { FreshetError } from '../../../src/errors.js';

const server: ServerFacts = {
  version: 18,
  database: 'api',
  user: 'owner',
  mayCreate: true,
  mayTemp: true,
  isStandby: false,
  isReadOnly: false,
  systemIdentifier: '1',
};

describe('servers', () => {
  it.each([
    [13, 'problem'],
    [14, 'ok'],
    [18, 'ok'],
    [19, 'warning'],
  ])('Postgres %i is a %s', (version, level) => {
    expect(judgeCatalog({ ...server, version }).map(({ ok }) => ok)).toEqual([level]);
  });

  it('a catalog may be a standby, a target may not', () => {
    expect(judgeCatalog({ ...server, isStandby: true })[0]?.ok).toBe('ok');
    expect(judgeTarget('API database', { ...server, isStandby: true })[0]?.ok).toBe('problem');
    expect(judgeTarget('API database', { ...server, isReadOnly: true })[0]?.ok).toBe('problem');
  });

  it('the state database needs no temporary tables', () => {
    expect(judgeTarget('state database', { ...server, mayTemp: false })[0]?.ok).toBe('ok');
    expect(judgeTarget('API database', { ...server, mayTemp: false })[0]?.ok).toBe('problem');
  });

  it('are the same database only when server and name are', () => {
    expect(judgeSameDatabase(server, server)).toHaveLength(1);
    expect(judgeSameDatabase({ ...server, database: 'catalog' }, server)).toEqual([]);
    expect(judgeSameDatabase({ ...server, systemIdentifier: '2' }, server)).toEqual([]);
    expect(
      judgeSameDatabase({ ...server, systemIdentifier: null }, { ...server, systemIdentifier: null }),
    ).toEqual([]);
  });
});

describe('ids', () => {
  const ids = (changes: Partial<IdFacts>): IdFacts => ({
    sequence: 'public.image_id_seq',
    lastValue: 10n,
    largest: 2_147_483_647n,
    maxId: 10n,
    ...changes,
  });
  const levels = (changes: Partial<IdFacts>) => judgeIds('public.image', ids(changes)).map(({ ok }) => ok);

  it('are fine below four fifths of the range, also in an empty table', () => {
    expect(levels({})).toEqual([]);
    expect(levels({ lastValue: null, maxId: null })).toEqual([]);
    expect(levels({ lastValue: 1_700_000_000n, maxId: 1_700_000_000n })).toEqual([]);
  });

  it('D13: warn above 80 % and are a problem above 95 %, by the sequence or by the table', () => {
    expect(levels({ lastValue: 1_720_000_000n })).toEqual(['warning']);
    expect(levels({ maxId: 1_720_000_000n })).toEqual(['warning']);
    expect(levels({ lastValue: 2_100_000_000n })).toEqual(['problem']);
    expect(
      levels({ lastValue: 2_100_000_000n, largest: 9_223_372_036_854_775_807n, maxId: 2_100_000_000n }),
    ).toEqual([]);
  });

  it('offer to reset a sequence only where no id near its end is in use', () => {
    const remedy = (changes: Partial<IdFacts>) => judgeIds('public.image', ids(changes))[0]?.remedy;
    expect(remedy({ lastValue: 2_100_000_000n, maxId: 5n })).toContain(
      "select setval('public.image_id_seq', 5)",
    );
    expect(remedy({ lastValue: 2_100_000_000n, maxId: 2_100_000_000n })).toContain('bigint');
  });

  it('warn where the sequence would give ids that are taken, or where there is none', () => {
    expect(levels({ lastValue: 5n })).toEqual(['warning']);
    expect(levels({ sequence: null })).toEqual(['warning']);
  });
});

describe('the cluster', () => {
  const cluster = { engine: 'opensearch', version: '3.8.0', name: 'c', nodes: 1, dataNodes: 1 } as const;

  it('is judged by its health', () => {
    const levels = (['green', 'yellow', 'red'] as const).map(
      (health) => judgeHealth({ ...cluster, health })[0]?.ok,
    );
    expect(levels).toEqual(['ok', 'warning', 'problem']);
  });

  it('must have room for everything once more', () => {
    const disk = { totalBytes: 100, availableBytes: 40 };
    expect(judgeDisks([disk], 10)[0]?.ok).toBe('ok');
    expect(judgeDisks([disk], 30)[0]?.ok).toBe('warning');
    expect(judgeDisks([disk], 41)[0]?.ok).toBe('problem');
    expect(judgeDisks([disk, disk], 41)[0]?.ok).toBe('ok');
    expect(judgeDisks([], 41)[0]?.ok).toBe('ok');
  });
});

describe('leftovers', () => {
  const environment = configSchema.parse({ environments: { local: {} }, media: {} }).environments['local'];
  const run = { environment: 'local', media: 'image', errorCode: null } as const;
  const flags = { promotionBegan: false, wasPromoted: false, isSuperseded: false } as const;
  const runs = new Map([
    ['going', { ...run, ...flags, id: 'going', state: 'running', finishedAt: null }],
    ['over', { ...run, ...flags, id: 'over', state: 'cancelled', finishedAt: new Date() }],
  ] as const);
  const rules = rulesOf({ ...environment, name: 'local', media: { image: {} } } as never, {
    stateId: 's',
    runs,
    generations: [],
  });
  const table = (runId: string, kept: string | null) =>
    judgeLeftovers([{ kind: 'table', name: 'public.temp_import_image', runId, kept }], rules);

  it('are what the sweeper would remove, and what nobody knows', () => {
    expect(table('over', null)).toMatchObject([
      { ok: 'warning', remedy: expect.stringContaining('freshet clean local') as string },
    ]);
    expect(table('lost', 'this state database does not know run lost')).toMatchObject([
      { ok: 'warning', remedy: expect.stringContaining('does not know run lost') as string },
    ]);
  });

  it('are no complaint while they wait for a retry, and nothing at all while their run goes on', () => {
    expect(table('over', 'it can be retried')).toMatchObject([{ ok: 'ok' }]);
    expect(table('going', 'it is not over')).toEqual([]);
  });

  it('without a mark are a problem only where they are in the way', () => {
    const wanted = new Set(['public.temp_import_image']);
    const levels = judgeUnmarked(['public.temp_import_image', 'public.temp_import_other'], wanted);
    expect(levels.map(({ ok }) => ok)).toEqual(['problem', 'warning']);
  });
});

describe('a check that fails', () => {
  it('is a finding with the remedy of its error', async () => {
    const error = new FreshetError('DATABASE_UNREACHABLE', 'gone', { database: 'catalog' });
    const [finding] = await attempt('catalog', () => Promise.reject(error));
    expect(finding).toEqual({ check: 'catalog', ok: 'problem', message: 'gone', remedy: error.remedy });
    expect(findingOf('catalog', new Error('odd')).remedy).toBeTruthy();
  });
});
