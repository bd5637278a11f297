import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../src/sample/index.js';
import { readTask } from '../../src/fleet/workerClient.js';
import { removeWriteAlias } from '../../src/search/index.js';
import { LocalEnvironment, outcomeOf } from '../setup/localEnvironment.js';
import { changeCatalog, expectCatalogIsLive } from './setup/expectations.js';
import { HeldCommand } from './setup/heldRun.js';
import { Pauses } from './setup/pauses.js';
import { Reindex, type Wiring } from './setup/pool.js';
import { openTcpProxy, type TcpProxy } from './setup/tcpProxy.js';

const refreshImage = ['refresh', 'local', 'image'] as const;
const slices = 6;

/** Limits of some seconds in place of minutes. */
const impatient = { stalledMs: 20_000, stalledAloneMs: 3_000, hinderedMs: 4_000 };

describe('workers', () => {
  let local: LocalEnvironment;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 1_500, seed: 11 });
    expect((await local.run(refreshImage)).status).toBe(0);
  });
  afterEach(async () => {
    await local.endCommands();
    for (const one of open.splice(0).reverse()) await one.close();
  });
  afterAll(() => local.drop());

  const proxy = async (url: string): Promise<TcpProxy> => {
    const opened = await openTcpProxy(url);
    open.push(opened);
    return opened;
  };
  const prepare = async (): Promise<Reindex> => {
    const reindex = await Reindex.prepare(local, slices);
    open.push(reindex);
    return reindex;
  };

  /** I3, I4: every row of the table was read in one slice, and every document is there once. */
  const expectIndexed = async ({ index }: Reindex, totals: { read: number; done: number }): Promise<void> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ rows: number; ids: string[] }>(
        `select count(*)::int as rows, array_agg(id::text order by id) filter (where not removed_from_source) as ids from public.image`,
      ),
    );
    expect(totals).toMatchObject({ done: slices, read: rows[0]?.rows });
    await local.search(`${index}/_refresh`, { method: 'POST' });
    const ids = [...(await local.documents(index)).keys()].map(Number);
    expect(ids.toSorted((one, other) => one - other).map(String)).toEqual(rows[0]?.ids);
  };

  const lostIn = ({ events }: Reindex): string[] => events.filter((event) => event.startsWith('worker.lost'));

  it('one that freezes loses its slice to another one, and is ended although it hears no SIGTERM', async () => {
    await changeCatalog(local, 1);
    const command = await HeldCommand.start(local, refreshImage, ['worker.begun']);
    await command.reach('worker.begun');
    const { rows } = await local.withState((session) =>
      session.query<{ pid: number }>(`select pid from freshet.workers where state = 'ready'`),
    );
    const pid = rows[0]?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    await command.release('worker.begun');
    const { status } = await command.ended;
    expect(status).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const { rows: lost } = await local.withState((session) =>
      session.query<{ message: string }>(`select message from freshet.events where kind = 'worker.lost'`),
    );
    expect(lost).toEqual([{ message: expect.stringContaining('no answer within 15000 ms') as string }]);
    await expectCatalogIsLive(local);
  });

  it('one that is cut off from the orchestrator and cannot be ended loses its slice; what it writes late, before and after the end of the reindex, changes nothing', async () => {
    const pauses = await Pauses.at(['worker.begun']);
    const reindex = await prepare();
    let front: TcpProxy | null = null;
    const wiring: Wiring = {
      pauses,
      isOutOfReach: true,
      frontOf: async (url) => (front = await proxy(url)).url,
    };
    const done = reindex.run(1, [wiring], impatient);
    await pauses.reach('worker.begun');
    (front as TcpProxy | null)?.silence();
    const totals = await done;
    expect(lostIn(reindex)).toEqual([expect.stringContaining('no answer within 15000 ms')]);
    await expectIndexed(reindex, totals);
    await removeWriteAlias(reindex.client, reindex.index, reindex.alias);
    const [first] = [...(await local.documents(reindex.index)).keys()];
    await local.search(`${reindex.index}/_doc/${first}?refresh=true`, { method: 'DELETE' });
    const before = await local.documents(reindex.index);

    const [late] = reindex.workers;
    if (late === undefined) throw new Error('no worker');
    await pauses.release('worker.begun');
    const taskId = `${reindex.runId}-1-1`;
    const state = async () => (await readTask(late, taskId, new AbortController().signal)).state;
    await expect.poll(state, { timeout: 60_000 }).toBe('failed');
    const { error_code: code } = await readTask(late, taskId, new AbortController().signal);
    expect(code).toBe('BULK_REFUSED');
    await local.search(`${reindex.index}/_refresh`, { method: 'POST' });
    expect(await local.documents(reindex.index)).toEqual(before);
    expect(Object.keys(await local.search<object>(`${reindex.alias}*/_alias`))).toEqual([]);
  });

  it('one whose connection to the orchestrator breaks for a moment keeps its slice', async () => {
    const pauses = await Pauses.at(['worker.begun']);
    const reindex = await prepare();
    let front: TcpProxy | null = null;
    const done = reindex.run(1, [{ pauses, frontOf: async (url) => (front = await proxy(url)).url }]);
    await pauses.reach('worker.begun');
    const line = front as TcpProxy | null;
    line?.cut();
    await expect.poll(() => line?.refused()).toBeGreaterThan(1);
    line?.restore();
    await pauses.release('worker.begun');
    await expectIndexed(reindex, await done);
    expect(reindex.events).toEqual([]);
    expect(reindex.workers).toHaveLength(1);
  });

  it('one that answers what no worker would is replaced', async () => {
    const reindex = await prepare();
    const nonsense = await proxy(local.searchUrl);
    const pauses = await Pauses.at(['worker.begun']);
    let front: TcpProxy | null = null;
    const done = reindex.run(1, [{ pauses, frontOf: async (url) => (front = await proxy(url)).url }]);
    await pauses.reach('worker.begun');
    (front as TcpProxy | null)?.redirect(nonsense.url);
    await expectIndexed(reindex, await done);
    expect(lostIn(reindex)).toHaveLength(1);
    await pauses.release('worker.begun');
  });

  it('one that does not reach the API database is replaced while another goes on', async () => {
    const reindex = await prepare();
    const line = await proxy(local.api.url);
    const pauses = await Pauses.at(['worker.begun']);
    line.cut();
    const done = reindex.run(2, [{ apiUrl: line.url }, { pauses }], impatient);
    await pauses.reach('worker.begun');
    await expect.poll(() => line.refused()).toBeGreaterThan(0);
    await pauses.release('worker.begun');
    await expectIndexed(reindex, await done);
    expect(reindex.events.join('\n')).toMatch(/API database/);
  });

  it('the connection to the API database breaks while rows are read: the slice is tried again, with the same worker', async () => {
    const reindex = await prepare();
    const line = await proxy(local.api.url);
    const pauses = await Pauses.at(['worker.begun']);
    const done = reindex.run(1, [{ apiUrl: line.url, pauses }], impatient);
    await pauses.reach('worker.begun');
    line.cut();
    await pauses.release('worker.begun');
    await expect.poll(() => reindex.events).toHaveLength(1);
    line.restore();
    await expectIndexed(reindex, await done);
    expect(reindex.events).toEqual([expect.stringContaining('slice.hindered')]);
    expect(reindex.workers).toHaveLength(1);
  });

  it('the API database keeps silent towards one of them: it makes no headway while the other does, and is replaced', async () => {
    const reindex = await prepare();
    const line = await proxy(local.api.url);
    const pauses = await Pauses.at(['worker.begun']);
    const done = reindex.run(2, [{ apiUrl: line.url, pauses }, {}], impatient);
    await pauses.reach('worker.begun');
    line.silence();
    await pauses.release('worker.begun');
    await expectIndexed(reindex, await done);
    expect(lostIn(reindex)).toEqual([expect.stringContaining('no headway')]);
  });

  it('the search cluster keeps silent towards the only one: it makes no headway and is replaced', async () => {
    const reindex = await prepare();
    const line = await proxy(local.searchUrl);
    const pauses = await Pauses.at(['worker.begun']);
    const done = reindex.run(1, [{ searchUrl: line.url, pauses }], { ...impatient, stalledMs: 3_000 });
    await pauses.reach('worker.begun');
    line.silence();
    await pauses.release('worker.begun');
    await expectIndexed(reindex, await done);
    expect(lostIn(reindex)).toEqual([expect.stringContaining('no headway')]);
  });

  it('the connection to the search cluster breaks while documents are written: they are written again, nobody is replaced', async () => {
    const reindex = await prepare();
    const line = await proxy(local.searchUrl);
    const pauses = await Pauses.at(['worker.begun']);
    const done = reindex.run(1, [{ searchUrl: line.url, pauses }], impatient);
    await pauses.reach('worker.begun');
    line.cut();
    await pauses.release('worker.begun');
    await expect.poll(() => line.refused()).toBeGreaterThan(1);
    line.restore();
    await expectIndexed(reindex, await done);
    expect(lostIn(reindex)).toEqual([]);
  });

  it('a database that no worker reaches fails the reindex after its time, with the reason', async () => {
    const reindex = await prepare();
    const line = await proxy(local.api.url);
    line.cut();
    const wiring = { apiUrl: line.url };
    await expect(reindex.run(2, [wiring, wiring], impatient)).rejects.toMatchObject({
      code: 'SLICE_FAILED',
      message: expect.stringMatching(/no worker went on for \d+ s; .*API database/) as string,
    });
    const { rows } = await reindex.state.pool.query(
      `select ordinal from freshet.slices where run_id = $1 and state <> 'pending'`,
      [reindex.runId],
    );
    expect(rows).toEqual([]);
  });

  it('what the configuration prints is not taken for the address of a worker', async () => {
    await changeCatalog(local, 2);
    await local.writeFile(
      'printing.config.mjs',
      `console.log('{"url":7}'); console.log('loading');\nexport { default } from './freshet.config.mjs';\n`,
    );
    const { status } = await outcomeOf(local.spawn([...refreshImage, '--config', 'printing.config.mjs']));
    expect(status).toBe(0);
    await expectCatalogIsLive(local);
  });
});
