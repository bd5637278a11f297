import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../src/sample/index.js';
import { searchRepeatsMax } from '../../src/limits.js';
import { LocalEnvironment } from '../setup/localEnvironment.js';
import { changeCatalog, expectCatalogIsLive } from './setup/expectations.js';
import { HeldCommand } from './setup/heldRun.js';
import { isLongForm } from './setup/longForm.js';
import { openTcpProxy, type TcpProxy } from './setup/tcpProxy.js';

const refreshImage = ['refresh', 'local', 'image'] as const;
const sendsOfOneRequest = 1 + searchRepeatsMax;
const point = 'promote.tablesSwapped';

/** The state database takes no note, as one that is restarting or full. */
const refuseNotes = `
  create function public.no_note() returns trigger language plpgsql as $$
    begin raise exception using errcode = '57P03', message = 'the database system is starting up'; end $$;
  create trigger no_note before insert on freshet.events execute function public.no_note()`;
const takeNotes = 'drop function if exists public.no_note() cascade';

describe('tables are live, the aliases not yet', () => {
  let local: LocalEnvironment;
  let search: TcpProxy;
  let api: TcpProxy;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    expect((await local.run(refreshImage)).status).toBe(0);
    search = await openTcpProxy(local.searchUrl);
    api = await openTcpProxy(local.api.url);
  });
  afterEach(() => local.endCommands());
  afterAll(async () => {
    await search.close();
    await api.close();
    await local.drop();
  });

  const cases = [
    { how: 'which cannot be noted', noted: false },
    ...(isLongForm ? [{ how: 'which is noted', noted: true }] : []),
  ];
  it.each(cases)(
    'I2: search cluster and API database are away, $how: the aliases follow by themselves',
    async ({ noted }) => {
      await changeCatalog(local, noted ? 1 : 2);
      const command = await HeldCommand.start(local, refreshImage, [point], {
        FRESHET_SEARCH_URL: search.url,
        FRESHET_API_URL: api.url,
      });
      await command.reach(point);
      if (!noted) await local.withState((session) => session.query(refuseNotes));
      search.cut();
      api.cut();
      const refused = search.refused();
      await command.release(point);
      // More than the sends of one request: the whole is tried again.
      const isTriedAgain = async (): Promise<boolean> =>
        noted ? (await countNotes()) > 0 : search.refused() > refused + sendsOfOneRequest;
      await expect.poll(isTriedAgain, { timeout: 120_000 }).toBe(true);
      search.restore();
      await local.withState((session) => session.query(takeNotes));
      // The cluster is back first: what is recorded in the API database afterwards fails, too.
      const tries = api.refused();
      await expect.poll(() => api.refused() > tries, { timeout: 120_000 }).toBe(true);
      api.restore();
      const { status, stderr } = await command.ended;
      expect(stderr).toBe('');
      expect(status).toBe(0);
      await expectCatalogIsLive(local);
    },
  );

  const countNotes = async (): Promise<number> => {
    const { rows } = await local.withState((session) =>
      session.query(`select 1 from freshet.events where kind = 'promotion.half-live'`),
    );
    return rows.length;
  };
});
