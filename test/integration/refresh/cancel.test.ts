import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { Pauses } from '../../faults/setup/pauses.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../../setup/localEnvironment.js';
import { startTcpProxy } from '../../setup/tcpProxy.js';
import { addGates, gatedUpstream, gates, hold, shut, waitUntilBlocked, type Gate } from './gates.js';
import {
  expectNothingLeft,
  readLive,
  readRuns,
  waitForPhase,
  waitForRun,
  waitForWorkers,
} from './runState.js';

const definition = 'local_image_data_refresh';

/** A run that is in the middle of a phase, as long as `release` is not called. */
interface Busy {
  readonly runId: string;
  readonly refresh: ChildProcess;
  readonly refreshed: Promise<CommandOutcome>;
  readonly release: () => Promise<void>;
}

function fail(): never {
  throw new Error('no stdout');
}

describe('freshet cancel', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 300, seed: 21 });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 100, seed: 21 });
    await addGates(local);
    await local.writeConfig(gatedUpstream);
    const first = await local.run(['refresh', 'local', 'image']);
    expect(first.stderr).toBe('');
    expect(first.status).toBe(0);
  });
  afterAll(() => local.drop());

  const begin = async (
    release: () => Promise<void>,
    args: readonly string[] = [],
    env = {},
  ): Promise<Busy> => {
    const refresh = local.spawn(['refresh', 'local', 'image', ...args], env);
    const refreshed = outcomeOf(refresh);
    const runId = await waitForRun(local, definition);
    return { runId, refresh, refreshed, release };
  };

  const atGate = async (gate: Gate): Promise<Busy> => {
    const busy = await begin(await shut(local, gate));
    await waitUntilBlocked(local, busy.runId, gate);
    return busy;
  };

  /** The new index takes no documents, so that the worker is in the middle of its slice. */
  const inReindex = async (suffix: string): Promise<Busy> => {
    const index = `${local.aliases.image}-${suffix}`;
    await local.search(`_index_template/${index}`, {
      method: 'PUT',
      body: {
        index_patterns: [index],
        priority: 500,
        template: { settings: { 'index.blocks.read_only_allow_delete': true } },
      },
    });
    const release = async (): Promise<void> => {
      await local.search(`_index_template/${index}`, { method: 'DELETE' });
      await local.search(`${index}/_settings`, {
        method: 'PUT',
        body: { 'index.blocks.read_only_allow_delete': null },
      });
    };
    const busy = await begin(release, ['--index-suffix', suffix]);
    await waitForWorkers(local, busy.runId);
    return busy;
  };

  const withConfig = async (search: Readonly<Record<string, unknown>>): Promise<() => Promise<void>> => {
    await local.writeConfig({ ...gatedUpstream, environments: { local: { search } } });
    return () => local.writeConfig(gatedUpstream);
  };

  const inFilteredIndex = async (): Promise<Busy> => {
    const busy = await begin(await withConfig({ reindexDocsPerSecond: 1 }));
    await waitForPhase(local, busy.runId, 'filtered-index');
    const tasks = (): Promise<string> =>
      local.search<unknown>('_tasks?actions=*reindex&detailed=true').then((found) => JSON.stringify(found));
    await expect.poll(tasks, { timeout: 60_000 }).toContain(local.aliases.image);
    return busy;
  };

  /** A reader's transaction is in the way of the swap. */
  const inLockWait = async (): Promise<Busy> => {
    const busy = await begin(await hold(local, 'api', 'lock table public.image in access share mode'));
    const isBlocked = (): Promise<boolean> =>
      local.withState(async (session) => {
        const { rows } = await session.query(
          `select from freshet.events where run_id = $1 and kind = 'promotion.blocked'`,
          [busy.runId],
        );
        return rows.length > 0;
      });
    await expect.poll(isBlocked, { timeout: 90_000 }).toBe(true);
    return busy;
  };

  const expectCancelled = async (busy: Busy): Promise<void> => {
    try {
      await cancelIt(busy);
    } finally {
      await busy.release();
    }
  };

  const cancelIt = async ({ runId, refreshed }: Busy): Promise<void> => {
    const cancel = await local.run(['cancel', runId]);
    expect(cancel.status, cancel.stderr).toBe(0);
    expect(cancel.stderr).toContain('RUN_CANCELLED');
    const refresh = await refreshed;
    expect(refresh.status).toBe(1);
    const run = (await readRuns(local)).find(({ id }) => id === runId);
    expect(run).toMatchObject({ state: 'cancelled', error: { code: 'RUN_CANCELLED' } });
    expect(run?.cancelSeconds).toBeLessThan(10);
    await expectNothingLeft(local, runId);
  };

  const phases: [string, () => Promise<Busy>][] = [
    ['while the copy reads the keys', () => atGate(gates.keys)],
    [
      'while the copy joins them with the live rows',
      async () => {
        const busy = await atGate(gates.keys);
        const unlock = await hold(local, 'api', 'lock table public.image in access exclusive mode');
        await busy.release();
        await waitUntilBlocked(local, busy.runId, { database: 'api', phase: 'copy' });
        return { ...busy, release: unlock };
      },
    ],
    ['while the copy fills the temp table', () => atGate(gates.rows)],
    ['while a key is built', () => atGate(gates.uniqueIndex)],
    ['while workers index', () => inReindex('cancelled')],
    [
      'while a worker hangs',
      async () => {
        const busy = await inReindex('hanging');
        for (const pid of await waitForWorkers(local, busy.runId)) process.kill(pid, 'SIGSTOP');
        return busy;
      },
    ],
    ['while another index is built', () => atGate(gates.otherIndex)],
    ['while the filtered index is filled', inFilteredIndex],
    [
      'while an index waits for its replica',
      async () => {
        const busy = await begin(await withConfig({ replicas: 1 }));
        await waitForPhase(local, busy.runId, 'serving');
        return busy;
      },
    ],
    [
      'while the gate looks',
      async () => {
        const busy = await begin(
          await hold(local, 'api', 'lock table public.imagelist_images in access exclusive mode'),
        );
        await waitUntilBlocked(local, busy.runId, { database: 'api', phase: 'verify' });
        return busy;
      },
    ],
  ];

  it.each(phases)('I11: %s, stops within seconds and leaves nothing', async (_what, reach) => {
    const before = await readLive(local);
    await expectCancelled(await reach());
    expect(await readLive(local)).toEqual(before);
  });

  it('after it the next refresh of the same tables succeeds', async () => {
    await expectCancelled(await inReindex('before-the-next'));
    const next = await local.run(['refresh', 'local', 'image']);
    expect(next.status, next.stderr).toBe(0);
    expect((await local.documents(local.aliases.image)).size).toBeGreaterThan(280);
  });

  it('ends a run that waits behind another one, which goes on', async () => {
    const busy = await atGate(gates.keys);
    try {
      const waiting = local.spawn(['refresh', 'local', 'audio']);
      const waited = outcomeOf(waiting);
      const audio = await waitForRun(local, 'local_audio_data_refresh');
      await waitForPhase(local, audio, 'wait');
      expect((await local.run(['cancel', audio])).status).toBe(0);
      await busy.release();
      expect((await waited).status).toBe(1);
      expect((await busy.refreshed).status).toBe(0);
      const states = (await readRuns(local)).filter(({ id }) => [audio, busy.runId].includes(id));
      expect(states.map(({ id, state }) => [id, state])).toEqual([
        [busy.runId, 'succeeded'],
        [audio, 'cancelled'],
      ]);
    } finally {
      await busy.release();
    }
  });

  it('asked for by two at once it is one cancellation; once the run is over it is refused', async () => {
    const busy = await atGate(gates.otherIndex);
    // The table cannot be dropped, so the cancellation lasts until both are there.
    const unlock = await hold(local, 'api', 'lock table public.temp_import_image in access share mode');
    try {
      const both = [local.spawn(['cancel', busy.runId]), local.spawn(['cancel', busy.runId])];
      const ended = both.map(outcomeOf);
      // It has asked, and follows.
      await Promise.all(both.map(({ stdout }) => once(stdout ?? fail(), 'data')));
      await unlock();
      expect((await Promise.all(ended)).map(({ status }) => status)).toEqual([0, 0]);
      expect((await busy.refreshed).status).toBe(1);
      await expectNothingLeft(local, busy.runId);
      const late = await local.run(['cancel', busy.runId]);
      expect(late.status).toBe(2);
      expect(late.stderr).toMatch(/cannot be cancelled: it is over \(cancelled\)\. \(NOT_CANCELLABLE\)/);
    } finally {
      await unlock();
      await busy.release();
    }
    expect((await local.run(['cancel', 'no-such-run'])).status).toBe(64);
  });

  it.each([
    ['a build goes on in the database', () => atGate(gates.uniqueIndex)],
    ['a task goes on in the cluster', inFilteredIndex],
    ['its promotion waited for its locks', inLockWait],
  ])('carries it out itself when the process of the run is dead and %s', async (_what, reach) => {
    const before = await readLive(local);
    const busy = await reach();
    try {
      busy.refresh.kill('SIGKILL');
      await once(busy.refresh, 'exit');
      const cancel = await local.run(['cancel', busy.runId]);
      expect(cancel.status, cancel.stderr).toBe(0);
      await expectNothingLeft(local, busy.runId);
    } finally {
      await busy.release();
    }
    expect(await readLive(local)).toEqual(before);
  });

  it('while the promotion waits for its locks: nothing has changed', async () => {
    const before = await readLive(local);
    await expectCancelled(await inLockWait());
    expect(await readLive(local)).toEqual(before);
  });

  it('ends a run whose catalog is cut off: what it has there is let go of', async () => {
    const before = await readLive(local);
    const proxy = await startTcpProxy(local.catalog.url);
    try {
      const busy = await begin(await shut(local, gates.keys), [], { FRESHET_CATALOG_URL: proxy.url });
      await waitUntilBlocked(local, busy.runId, gates.keys);
      proxy.cut();
      const cancel = await local.run(['cancel', busy.runId]);
      expect(cancel.status, cancel.stderr).toBe(0);
      expect((await busy.refreshed).stderr).toContain('RUN_CANCELLED');
      const run = (await readRuns(local)).find(({ id }) => id === busy.runId);
      expect(run?.state).toBe('cancelled');
      // The server that is cut off is waited for some times (10 s each) before the clean-up is left to the sweeper.
      expect(run?.cancelSeconds).toBeLessThan(60);
      await busy.release();
    } finally {
      await proxy.close();
    }
    expect((await local.run(['clean'])).stderr).toBe('');
    expect(await readLive(local)).toEqual(before);
  });

  it('is refused once the promotion has begun, which then ends', async () => {
    const point = 'promote.tablesSwapped';
    const pauses = await Pauses.at([point]);
    const busy = await begin(() => pauses.release(point), [], pauses.env);
    try {
      await pauses.reach(point);
      const promoting = async (): Promise<string | undefined> =>
        (await readRuns(local)).find(({ id }) => id === busy.runId)?.state;
      expect(await promoting()).toBe('promoting');
      const cancel = await local.run(['cancel', busy.runId]);
      expect(cancel.status).toBe(2);
      expect(cancel.stderr).toMatch(/its promotion has begun.*NOT_CANCELLABLE/);
      expect(await promoting()).toBe('promoting');
    } finally {
      await busy.release();
    }
    expect((await busy.refreshed).status).toBe(0);
    expect((await local.run(['cancel', busy.runId])).stderr).toContain('it is over (succeeded)');
  });
});
