import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../setup/localEnvironment.js';
import { changeCatalog, expectCatalogIsLive } from './setup/expectations.js';
import { isLongForm } from './setup/longForm.js';
import { openTcpProxy, type LostAnswer, type TcpProxy } from './setup/tcpProxy.js';

const refreshImage = ['refresh', 'local', 'image'] as const;

/** What is looked at in every change; the others take minutes more. */
const short = [
  'the creation of the main index',
  'a bulk request',
  'the start of a reindex task',
  'the move of the aliases',
  'the commit of the swap',
  'the claim of a slice',
  'the end of the run',
];

/** On one column: a table has one such index at most. */
const uniqueIndex = /create unique index [^;]*\(identifier\)/i;

/** A statement of its own, as the client library sends it. */
const commit = /Q[\s\S]{4}commit\0/;

type Server = 'search' | 'api' | 'state';
interface Case {
  /** What was done when its answer got lost. */
  readonly done: string;
  readonly server: Server;
  readonly lost: LostAnswer;
  /** Sent once in the whole run: looked for, found done and not sent again. */
  readonly once?: RegExp;
}

const cases: readonly Case[] = [
  {
    done: 'the creation of the main index',
    server: 'search',
    lost: { of: /^PUT \/t_\w+_image-[0-9a-f]{32} HTTP/ },
    once: /^PUT \/t_\w+_image-[0-9a-f]{32} HTTP/,
  },
  {
    done: 'the creation of the filtered index',
    server: 'search',
    lost: { of: /^PUT \/t_\w+_image-[0-9a-f]{32}-filtered HTTP/ },
  },
  { done: 'a bulk request', server: 'search', lost: { of: /^POST \/freshet-write-[^ ]+\/_bulk/ } },
  { done: 'the start of a reindex task', server: 'search', lost: { of: /^POST \/_reindex/ } },
  {
    done: 'the removal of the alias of the writers',
    server: 'search',
    lost: { of: /^DELETE [^ ]+\/_alias\// },
  },
  {
    done: 'the move of the aliases',
    server: 'search',
    lost: { of: /^POST \/_aliases/ },
    once: /^POST \/_aliases/,
  },
  { done: 'the deletion of an old index', server: 'search', lost: { of: /^DELETE \/[^/]+ HTTP/ } },

  {
    done: 'the hold of the API database',
    server: 'api',
    lost: { after: /insert into freshet\.holders/, of: commit },
  },
  { done: 'the commit of the copy', server: 'api', lost: { on: /freshet copy/, of: commit } },
  {
    done: 'the creation of a unique index',
    server: 'api',
    lost: { on: /freshet indexes/, of: uniqueIndex },
    once: uniqueIndex,
  },
  {
    done: 'the commit of the swap',
    server: 'api',
    lost: { after: /insert into freshet\.swaps/, of: commit },
    once: /insert into freshet\.swaps/,
  },
  { done: 'the release of the API database', server: 'api', lost: { of: /delete from freshet\.holders/ } },

  { done: 'the lease', server: 'state', lost: { after: /insert into freshet\.leases/, of: commit } },
  { done: 'the claim of a slice', server: 'state', lost: { of: /set state = 'claimed'/ } },
  { done: 'the end of a slice', server: 'state', lost: { of: /update freshet\.slices set state = 'done'/ } },
  { done: 'the end of a phase', server: 'state', lost: { of: /update freshet\.phases set state = \$3/ } },
  { done: 'the beginning of the promotion', server: 'state', lost: { of: /state = 'promoting'/ } },
  { done: 'the new generation', server: 'state', lost: { of: /update freshet\.generations/ } },
  {
    done: 'the end of the run',
    server: 'state',
    lost: { of: /update freshet\.runs set state = \$3, error/ },
  },
];

describe('something is done, but its answer is lost and the connection broken', () => {
  let local: LocalEnvironment;
  let round = 0;
  let proxies: Record<Server, TcpProxy>;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    expect((await local.run(refreshImage)).status).toBe(0);
    proxies = {
      search: await openTcpProxy(local.searchUrl),
      api: await openTcpProxy(local.api.url),
      state: await openTcpProxy(local.state.url),
    };
  });
  afterEach(() => local.endCommands());
  afterAll(async () => {
    for (const proxy of Object.values(proxies)) await proxy.close();
    await local.drop();
  });

  const refresh = (): Promise<CommandOutcome> =>
    local.run(refreshImage, {
      FRESHET_SEARCH_URL: proxies.search.url,
      FRESHET_API_URL: proxies.api.url,
      FRESHET_STATE_URL: proxies.state.url,
    });

  it.each(cases.filter(({ done }) => isLongForm || short.includes(done)))(
    '$done ($server): the run ends right, and it is done once',
    async ({ server, lost, once }) => {
      await changeCatalog(local, (round += 1));
      const proxy = proxies[server];
      const before = once === undefined ? 0 : proxy.sent(once, lost.on);
      const isLost = proxy.lose(lost);
      const { status, stderr } = await refresh();
      expect(isLost(), 'the answer was lost').toBe(true);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      if (once !== undefined) expect(proxy.sent(once, lost.on) - before).toBe(1);
      await expectCatalogIsLive(local);
    },
  );

  it('the adding of a run (state): it is looked for, and the command goes on with it', async () => {
    await changeCatalog(local, (round += 1));
    const isLost = proxies.state.lose({ after: /insert into freshet\.runs/, of: commit });
    const { status, stderr } = await refresh();
    expect(isLost()).toBe(true);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    await expectCatalogIsLive(local);
  });
});
