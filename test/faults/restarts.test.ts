import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fillCatalog } from '../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../setup/localEnvironment.js';
import { changeCatalog, expectCatalogIsLive, expectOneGeneration } from './setup/expectations.js';
import { HeldCommand } from './setup/heldRun.js';
import { isLongForm } from './setup/longForm.js';
import {
  serverNames,
  startOwnServers,
  type End,
  type OwnServers,
  type ServerName,
} from './setup/ownServers.js';

const refreshImage = ['refresh', 'local', 'image'] as const;

/** In the middle of the phases that last longest, and of the one that changes what is live. */
const middles = ['copy.rows', 'worker.begun', 'filtered-index.copied', 'swap.beforeCommit'];

/** Where a run may stand when a server is taken away: at the beginning of every phase and inside some. */
const points = [
  ...['wait', 'preflight', 'count-before', 'copy'].map((phase) => `${phase}.before`),
  'copy.rows',
  ...['keys', 'create-indexes', 'reindex', 'constraints'].map((phase) => `${phase}.before`),
  'worker.begun',
  'worker.rows',
  'filtered-index.before',
  'filtered-index.copied',
  ...['serving', 'reconcile', 'verify', 'promote'].map((phase) => `${phase}.before`),
  'swap.beforeCommit',
  'promote.tablesSwapped',
  'promote.aliasesMoved',
  ...['clean-up', 'count-after'].map((phase) => `${phase}.before`),
];

const hook = [{ command: ['true'] }];
const minuteMs = 60_000;

/** It opens when a run has come to wait for it: windows know minutes. */
function soon(): object {
  const opensAt = new Date(Math.ceil((Date.now() + 40_000) / minuteMs) * minuteMs);
  const closesAt = new Date(opensAt.getTime() + 60 * minuteMs);
  const [from, to] = [opensAt, closesAt].map((time) => time.toISOString().slice(11, 16));
  return { windows: [{ from, to }] };
}

/** Where a verified candidate is held, waits, or where others are asked and told; and what is configured and asked for to come there. */
const decisions: readonly {
  readonly point: string;
  readonly holds?: boolean;
  readonly promotion?: () => object;
}[] = [
  { point: 'show-candidate.before', holds: true },
  { point: 'hold.before', holds: true },
  { point: 'window.waiting', promotion: soon },
  { point: 'before-hooks.called', promotion: () => ({ before: hook }) },
  { point: 'after-hooks.called', promotion: () => ({ after: hook }) },
];

describe('a server that is away for a moment while a refresh goes on', () => {
  let servers: OwnServers;
  let local: LocalEnvironment;
  let round = 0;
  beforeAll(async () => {
    servers = await startOwnServers();
    const { catalog, api, state, search } = servers;
    local = await LocalEnvironment.create({
      catalogUrl: catalog.url,
      apiUrl: api.url,
      stateUrl: state.url,
      searchUrl: search.url,
    });
    // The harder case for what was told as committed: the server's default loses it in a crash.
    await local.withApi((session) =>
      session.query(`alter database ${local.api.name} set synchronous_commit = off`),
    );
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    expect((await local.run(refreshImage)).status).toBe(0);
  });
  // A test that fails must not be in the way of the next.
  afterEach(async () => {
    await local.endCommands();
    for (const server of serverNames) await servers[server].start();
    await local.writeConfig({});
    const run = await newestRun();
    if (run?.state === 'held') await local.run(['cancel', run.id]);
  });
  afterAll(async () => {
    await local.drop();
    await servers.close();
  });

  const comesBack = async (
    server: ServerName,
    how: End,
    command: HeldCommand,
    point: string,
  ): Promise<void> => {
    await command.reach(point);
    await servers[server].end(how);
    await command.release(point);
    await servers[server].start();
  };

  /** The last attempt of the newest run. */
  const newestRun = async (): Promise<{ id: string; state: string } | undefined> => {
    const { rows } = await local.withState((session) =>
      session.query<{ id: string; state: string }>(
        'select id, state from freshet.runs order by created_at desc limit 1',
      ),
    );
    return rows[0];
  };
  const stateOfRun = async (): Promise<string | undefined> => (await newestRun())?.state;

  /** A process without its state database ends and says what goes on; the next one goes on with the run. */
  const expectLeft = ({ status, stderr }: CommandOutcome): void => {
    expect(status).toBe(1);
    expect(stderr).toContain('not the orchestrator any more');
  };

  it.each([
    { server: 'catalog', how: 'stopped' },
    { server: 'api', how: 'stopped' },
    { server: 'api', how: 'killed' },
    { server: 'search', how: 'stopped' },
  ] as const)(
    'the $server, $how and started again in copy, reindex, filtered-index and promote: the run goes on by itself',
    async ({ server, how }) => {
      await changeCatalog(local, (round += 1));
      const command = await HeldCommand.start(local, refreshImage, middles);
      for (const point of middles) await comesBack(server, how, command, point);
      const { status, stderr } = await command.ended;
      expect(stderr).toBe('');
      expect(status).toBe(0);
      await expectCatalogIsLive(local);
    },
  );

  it.each(['stopped', 'killed'] as const)(
    'the state database, %s and started again in copy, reindex, filtered-index and promote: the command ends, and started again it goes on',
    async (how) => {
      await changeCatalog(local, (round += 1));
      for (const point of middles) {
        const command = await HeldCommand.start(local, refreshImage, [point]);
        await comesBack('state', how, command, point);
        expectLeft(await command.ended);
      }
      const last = await local.run(refreshImage);
      expect(last.stderr).toContain('resuming');
      expect(last.status).toBe(0);
      await expectCatalogIsLive(local);
    },
  );

  it('a standby takes over from an orchestrator that lost the state database, and the run goes on by itself', async () => {
    await changeCatalog(local, (round += 1));
    const [point = ''] = middles;
    const command = await HeldCommand.start(local, ['up'], [point]);
    await command.said('up');
    const standby = local.spawn(['up']);
    standby.stderr?.resume();
    const added = local.run([...refreshImage, '--json']);
    await comesBack('state', 'stopped', command, point);
    expectLeft(await command.ended);
    await added;
    await expect.poll(stateOfRun, { timeout: 120_000, interval: 500 }).toBe('succeeded');
    standby.kill('SIGTERM');
    await once(standby, 'exit');
    await expectCatalogIsLive(local);
  });

  const everyEnd = serverNames.flatMap((server) =>
    (['stopped', 'killed'] as const).map((how) => ({ server, how })),
  );
  const cases = points.flatMap((point) => everyEnd.map((end) => ({ ...end, point })));
  it('the search engine, started a moment ago: its indexes are counted when they are up, never as empty', async () => {
    await servers.search.end('stopped');
    await servers.search.start();
    const { status, stdout } = await local.run(['generations', 'local', '--json']);
    expect(status).toBe(0);
    const { generations } = JSON.parse(stdout) as {
      generations: { parts: { kind: string; isThere: boolean; count: number | null }[] }[];
    };
    const indexes = generations.flatMap(({ parts }) => parts.filter(({ kind }) => kind !== 'table'));
    expect(indexes.length).toBeGreaterThanOrEqual(2);
    // Null: not up within the wait, which a busy machine may need for longer.
    for (const { isThere, count } of indexes) expect([isThere, count === 0]).toEqual([true, false]);
  });

  const decisionCases = decisions.flatMap((decision) => everyEnd.map((end) => ({ ...end, ...decision })));

  // Hours of failures are not looked for at every change: `npm run test:faults`.
  it.runIf(isLongForm).each(cases)('$server, $how at $point', async ({ server, how, point }) => {
    await changeCatalog(local, (round += 1));
    const command = await HeldCommand.start(local, refreshImage, [point]);
    await comesBack(server, how, command, point);
    const outcome = await command.ended;
    if (server === 'state') expectLeft(outcome);
    else await expectOneGeneration(local);
    if (outcome.status !== 0) {
      // Only a run that has done nothing yet ends for a server that does not answer.
      if (server !== 'state') expect(point).toMatch(/^(wait|preflight)\.before$/);
      expect((await local.run(refreshImage)).status).toBe(0);
    }
    await expectCatalogIsLive(local);
  });

  it.runIf(isLongForm).each(decisionCases)(
    '$server, $how at $point',
    async ({ server, how, point, holds = false, promotion = () => ({}) }) => {
      await changeCatalog(local, (round += 1));
      await local.writeConfig({ environments: { local: { promotion: promotion() } } });
      const args = holds ? [...refreshImage, '--hold'] : refreshImage;
      const command = await HeldCommand.start(local, args, [point]);
      await comesBack(server, how, command, point);
      const outcome = await command.ended;
      if (server === 'state') {
        expectLeft(outcome);
        const next = await local.run(refreshImage);
        expect(next.stderr).toContain('resuming');
        expect(next.status).toBe(0);
      } else expect(outcome.status, outcome.stderr).toBe(0);
      // A cluster that has come back finds its shards after its aliases.
      await local.search('_cluster/health?wait_for_status=yellow&timeout=60s');
      if (holds) {
        expect(await stateOfRun()).toBe('held');
        await expectOneGeneration(local);
        const promoted = await local.run(['promote', (await newestRun())?.id ?? '']);
        expect(promoted.status, promoted.stderr).toBe(0);
      }
      await expectCatalogIsLive(local);
    },
  );
});
