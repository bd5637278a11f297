import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { createDatabase } from '../../setup/databases.js';
import { LocalEnvironment, type CommandOutcome } from '../../setup/localEnvironment.js';

interface Told {
  readonly run: {
    readonly id: string;
    readonly state: string;
    readonly attempt: number;
    readonly error: { readonly code: string; readonly message: string } | null;
  };
  readonly events: readonly { readonly kind: string; readonly message: string }[];
  readonly phases: readonly { readonly name: string; readonly state: string }[];
}

/** A refresh that stops before its promotion, and what becomes of it. Live is the generation `a`, held the generation `b`. */
describe('a held run', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
  });
  afterEach(() => local.drop());

  const image = () => local.aliases.image;
  const filtered = () => `${image()}-filtered`;
  const shown = () => [`${image()}-candidate`, `${filtered()}-candidate`];
  const toldBy = ({ stdout }: CommandOutcome): Told => JSON.parse(stdout) as Told;
  const json = (...args: string[]) => local.run([...args, '--json']);

  const refreshLive = async (): Promise<void> => {
    expect((await json('refresh', 'local', 'image', '--index-suffix', 'a')).status).toBe(0);
  };

  /** The catalog changes, and a refresh for it is held. @returns its id. */
  const hold = async (...options: string[]): Promise<string> => {
    await local.withCatalog((session) =>
      session.query(
        `update public.image set url = 'https://changed.example.org/x.jpg' where identifier = (select min(identifier::text)::uuid from public.image)`,
      ),
    );
    const held = await json('refresh', 'local', 'image', '--hold', '--index-suffix', 'b', ...options);
    expect(held.stderr).not.toContain('error');
    expect(held.status).toBe(0);
    expect(toldBy(held).run.state).toBe('held');
    return toldBy(held).run.id;
  };

  const kill = async (failpoint: string, ...args: string[]): Promise<void> => {
    const child = local.spawn(args, { FRESHET_FAILPOINT: failpoint });
    child.stdout?.resume();
    child.stderr?.resume();
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal, `the process was to be killed at ${failpoint}`).toBe('SIGKILL');
  };

  const stateOf = async (id: string): Promise<string | undefined> => {
    const { rows } = await local.withState((session) =>
      session.query<{ state: string }>('select state from freshet.runs where id = $1', [id]),
    );
    return rows[0]?.state;
  };

  const leases = async (): Promise<number> => {
    const { rows } = await local.withState((session) => session.query('select 1 from freshet.leases'));
    return rows.length;
  };

  const changedRows = async (): Promise<number> => {
    const { rows } = await local.withApi((session) =>
      session.query(`select 1 from public.image where url = 'https://changed.example.org/x.jpg'`),
    );
    return rows.length;
  };

  /** Aliases of the four indexes, each list sorted. */
  const aliases = async (): Promise<Record<string, string[]>> =>
    Object.fromEntries(
      Object.entries(await local.indexes()).map(([index, names]) => [
        index.replace(image(), 'image'),
        names.map((name) => name.replace(image(), 'image')).sort(),
      ]),
    );

  const aIsLive = {
    'image-a': ['image'],
    'image-a-filtered': ['image-filtered'],
  };
  const bIsHeld = {
    ...aIsLive,
    'image-b': ['image-candidate'],
    'image-b-filtered': ['image-filtered-candidate'],
  };
  const bIsLive = {
    'image-a': [],
    'image-a-filtered': [],
    'image-b': ['image'],
    'image-b-filtered': ['image-filtered'],
  };

  const expectPromoted = async (id: string): Promise<void> => {
    expect(await stateOf(id)).toBe('succeeded');
    expect(await aliases()).toEqual(bIsLive);
    expect(await changedRows()).toBe(1);
    expect(await leases()).toBe(0);
    const { rows } = await local.withApi((session) =>
      session.query(
        `select 1 from pg_class where relname like 'temp_import%' union all select 1 from freshet.holders`,
      ),
    );
    expect(rows).toEqual([]);
  };

  const expectReadOnly = async (): Promise<void> => {
    const writes: [string, string, unknown][] = [
      ['PUT', '_doc/1', { title: 'x' }],
      ['POST', '_doc', { title: 'x' }],
      ['POST', '_update/1', { doc: { title: 'x' } }],
      ['DELETE', '_doc/1', undefined],
    ];
    for (const alias of shown()) {
      for (const [method, path, body] of writes) {
        const init = body === undefined ? { method } : { method, body };
        const answer = await local.search<{ error?: { reason: string } }>(`${alias}/${path}`, init);
        expect(answer.error?.reason).toMatch(/no write index is defined for alias/);
      }
    }
  };

  it('shows its candidate under aliases that refuse writes, leaves what is live alone, and is promoted by command', async () => {
    await refreshLive();
    const before = await local.documents(image());
    const id = await hold();
    expect(await aliases()).toEqual(bIsHeld);
    await expectReadOnly();
    expect(await local.documents(image())).toEqual(before);
    expect(await changedRows()).toBe(0);
    expect(await leases()).toBe(0);
    const candidate = await local.documents(`${image()}-candidate`);
    expect(
      [...candidate.values()].filter(({ url }) => url === 'https://changed.example.org/x.jpg').length,
    ).toBe(1);
    expect((await json('promote', id)).status).toBe(0);
    await expectPromoted(id);
    expect(await local.documents(image())).toEqual(candidate);
  });

  it('leaves the environment to others, but not its own tables', async () => {
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 200, seed: 1 });
    const id = await hold();
    const again = await local.run(['refresh', 'local', 'image']);
    expect(again.status).toBe(64);
    expect(again.stderr).toContain('ALREADY_RUNNING');
    expect(again.stderr).toContain(`freshet promote ${id}`);
    expect(again.stderr).toContain(`freshet cancel ${id}`);
    expect((await json('refresh', 'local', 'audio')).status).toBe(0);
    expect(await stateOf(id)).toBe('held');
    expect((await json('promote', id)).status).toBe(0);
  });

  it('is not promoted while a refresh of the environment runs: refused at once by its name, still held', async () => {
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 200, seed: 1 });
    const id = await hold();
    await kill('copy.before', 'refresh', 'local', 'audio');
    const refused = await local.run(['promote', id]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('ENVIRONMENT_BUSY');
    expect(refused.stderr).toContain('local_audio_data_refresh');
    expect(await stateOf(id)).toBe('held');
    expect((await json('refresh', 'local', 'audio')).status).toBe(0);
    expect((await json('promote', id)).status).toBe(0);
  });

  it('that cannot have the API database, which a run of another state database holds, is held again and says so', async () => {
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 200, seed: 1 });
    const id = await hold();
    const other = await createDatabase(inject('parts').apiUrl);
    const child = local.spawn(['refresh', 'local', 'audio'], {
      FRESHET_STATE_URL: other.url,
      FRESHET_FAILPOINT: 'copy.before',
    });
    child.stdout?.resume();
    child.stderr?.resume();
    await once(child, 'exit');
    const refused = await json('promote', id);
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'held', attempt: 2, error: { code: 'TARGET_HELD' } });
    expect(toldBy(refused).events.at(-1)?.message).toMatch(/^not promoted, held again: The API database/);
    expect(refused.stderr).toContain('TARGET_HELD');
    expect(await leases()).toBe(0);
    const freed = await local.run(['refresh', 'local', 'audio', '--json'], { FRESHET_STATE_URL: other.url });
    expect(freed.status).toBe(0);
    expect((await json('promote', id)).status).toBe(0);
    expect(await stateOf(id)).toBe('succeeded');
    await other.drop();
  });

  it('that the gate refuses by now is held again, and promoted when the cause is gone', async () => {
    await refreshLive();
    const id = await hold();
    const [first] = [...(await local.documents(`${image()}-candidate`))];
    if (first === undefined) throw new Error('no document');
    const path = `${image()}-b/_doc/${first[0]}?refresh=true`;
    await local.search(path, { method: 'DELETE' });
    const refused = await json('promote', id);
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'held', error: { code: 'GATE_REFUSED' } });
    expect(await aliases()).toEqual(bIsHeld);
    expect(await changedRows()).toBe(0);
    expect((await local.run(['status'])).stdout).toContain('GATE_REFUSED');
    await local.search(path, { method: 'PUT', body: first[1] });
    expect((await json('promote', id)).status).toBe(0);
    await expectPromoted(id);
  });

  it('whose live table has another shape by now is refused by SHAPE_DIFFERS, and still held', async () => {
    await refreshLive();
    const id = await hold();
    const alter = (what: string) =>
      local.withApi((session) => session.query(`alter table public.image ${what}`));
    await alter('add column note text');
    const refused = await json('promote', id);
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'held', error: { code: 'SHAPE_DIFFERS' } });
    expect(toldBy(refused).run.error?.message).toContain('note');
    expect(await aliases()).toEqual(bIsHeld);
    await alter('drop column note');
    expect((await json('promote', id)).status).toBe(0);
    await expectPromoted(id);
  });

  it('whose swap is refused though its promotion had begun is held again, can be cancelled, and leaves nothing', async () => {
    await local.writeFile(
      'alter.mjs',
      `import { createRequire } from 'node:module';
const pg = createRequire(${JSON.stringify(import.meta.url)})('pg');
const client = new pg.Client({ connectionString: process.env.FRESHET_API_URL });
await client.connect();
await client.query('alter table public.image add column note text');
await client.end();
`,
    );
    await refreshLive();
    await local.writeConfig({
      environments: { local: { promotion: { before: [{ command: [process.execPath, 'alter.mjs'] }] } } },
    });
    const id = await hold();
    const refused = await json('promote', id);
    expect(refused.status).toBe(2);
    expect(toldBy(refused).run).toMatchObject({ state: 'held', error: { code: 'SHAPE_DIFFERS' } });
    expect(toldBy(refused).phases.find(({ name }) => name === 'promote')?.state).toBe('failed');
    expect(await aliases()).toEqual(bIsHeld);
    expect((await json('cancel', id)).status).toBe(0);
    expect(await stateOf(id)).toBe('cancelled');
    expect(await aliases()).toEqual(aIsLive);
  });

  it('takes deletions and marks that API writers made meanwhile with it, in table and both indexes', async () => {
    await refreshLive();
    const identifier = ([, document]: [string, Record<string, unknown>]) => String(document['identifier']);
    // The first by identifier is the one that the catalog changes.
    const [, deleted, marked, unmarked] = [...(await local.documents(filtered()))]
      .filter(([, { mature }]) => mature === false)
      .toSorted((one, other) => identifier(one).localeCompare(identifier(other)));
    if (!deleted || !marked || !unmarked) throw new Error('no documents');
    const list = (table: string, one: [string, Record<string, unknown>]) =>
      local.withApi((session) =>
        session.query(
          `insert into public.${table} (identifier, created_on${table === 'api_deletedimage' ? ', updated_on' : ''})
           values ('${identifier(one)}', now()${table === 'api_deletedimage' ? ', now()' : ''})`,
        ),
      );
    await list('api_matureimage', unmarked);
    const id = await hold();
    expect((await local.documents(`${image()}-candidate`)).get(unmarked[0])?.['mature']).toBe(true);
    await list('api_deletedimage', deleted);
    await local.withApi((session) =>
      session.query(`delete from public.image where identifier = '${identifier(deleted)}'`),
    );
    for (const alias of [image(), filtered()]) {
      await local.search(`${alias}/_doc/${deleted[0]}?refresh=true`, { method: 'DELETE' });
    }
    await list('api_matureimage', marked);
    await local.withApi((session) =>
      session.query(`delete from public.api_matureimage where identifier = '${identifier(unmarked)}'`),
    );
    expect((await json('promote', id)).status).toBe(0);
    for (const alias of [image(), filtered()]) {
      const documents = await local.documents(alias);
      expect(documents.has(deleted[0])).toBe(false);
      expect(documents.get(marked[0])?.['mature']).toBe(true);
      expect(documents.get(unmarked[0])?.['mature']).toBe(false);
    }
    const { rows } = await local.withApi((session) =>
      session.query(`select 1 from public.image where identifier = '${identifier(deleted)}'`),
    );
    expect(rows).toEqual([]);
    await expectPromoted(id);
  });

  it('is promoted past a filtered index that was rebuilt meanwhile, which stays as the previous generation', async () => {
    await refreshLive();
    const id = await hold();
    expect((await json('filtered-index', 'local', 'image', '--destination-suffix', 'alone')).status).toBe(0);
    expect(await aliases()).toEqual({
      'image-a': ['image'],
      'image-a-filtered': [],
      'image-alone-filtered': ['image-filtered'],
      'image-b': ['image-candidate'],
      'image-b-filtered': ['image-filtered-candidate'],
    });
    expect((await json('promote', id)).status).toBe(0);
    expect(await aliases()).toEqual({
      'image-a': [],
      'image-alone-filtered': [],
      'image-b': ['image'],
      'image-b-filtered': ['image-filtered'],
    });
    expect(await changedRows()).toBe(1);
  });

  it('that does not copy is held and promoted like any other', async () => {
    await refreshLive();
    const held = await json('refresh', 'local', 'image', '--skip-copy-data', '--hold', '--index-suffix', 'b');
    expect(toldBy(held).run.state).toBe('held');
    expect(await aliases()).toEqual(bIsHeld);
    expect((await json('promote', toldBy(held).run.id)).status).toBe(0);
    expect(await aliases()).toEqual(bIsLive);
  });

  it('leaves nothing when it is cancelled, and another refresh may begin', async () => {
    await refreshLive();
    const id = await hold();
    expect((await json('cancel', id)).status).toBe(0);
    expect(await stateOf(id)).toBe('cancelled');
    expect(await aliases()).toEqual(aIsLive);
    const { rows } = await local.withApi((session) =>
      session.query(`select 1 from pg_class where relname like 'temp_import%'`),
    );
    expect(rows).toEqual([]);
    const late = await local.run(['promote', id]);
    expect([late.status, late.stderr.includes('NOT_HELD')]).toEqual([2, true]);
    expect((await json('refresh', 'local', 'image', '--index-suffix', 'c')).status).toBe(0);
  });

  it('whose candidate somebody dropped is not made anew behind the back of who looked at it', async () => {
    await refreshLive();
    const id = await hold();
    await local.search(`${image()}-b`, { method: 'DELETE' });
    const failed = await json('promote', id);
    expect(failed.status).toBe(1);
    expect(toldBy(failed).run).toMatchObject({ state: 'failed', error: { code: 'CANDIDATE_LOST' } });
    expect(await changedRows()).toBe(0);
    expect((await json('refresh', 'local', 'image', '--index-suffix', 'c')).status).toBe(0);
    expect(Object.keys(await aliases()).sort()).toEqual([
      'image-a',
      'image-a-filtered',
      'image-c',
      'image-c-filtered',
    ]);
  });

  it.each(['index', 'alias'])(
    'is refused before its copy where an %s that is not ours has the name of its alias',
    async (kind) => {
      const [main = ''] = shown();
      const foreign = kind === 'index' ? main : `${image()}_of_others`;
      await local.search(foreign, {
        method: 'PUT',
        body: kind === 'index' ? {} : { aliases: { [main]: {} } },
      });
      const refused = await json('refresh', 'local', 'image', '--hold');
      expect(refused.status).toBe(2);
      expect(toldBy(refused).run.error?.code).toBe('CANDIDATE_ALIAS_TAKEN');
      expect(toldBy(refused).phases.find(({ name }) => name === 'copy')?.state).toBe('pending');
      expect((await json('refresh', 'local', 'image')).status).toBe(0);
      expect(Object.keys(await local.indexes())).toContain(foreign);
    },
  );

  it.each(['show-candidate.added', 'hold.released'])(
    'killed at %s is held by the next orchestrator',
    async (failpoint) => {
      await refreshLive();
      await kill(failpoint, 'refresh', 'local', 'image', '--hold', '--index-suffix', 'b');
      const held = await json('refresh', 'local', 'image');
      expect(held.stderr).toContain('resuming');
      expect(toldBy(held).run.state).toBe('held');
      expect(await aliases()).toEqual(bIsHeld);
      expect(await leases()).toBe(0);
      expect((await json('promote', toldBy(held).run.id)).status).toBe(0);
      expect(await aliases()).toEqual(bIsLive);
    },
  );

  it('killed as soon as it is held, and promoted: what the dead process left does not hold it again', async () => {
    await refreshLive();
    await kill('hold.after', 'refresh', 'local', 'image', '--hold', '--index-suffix', 'b');
    const { rows } = await local.withState((session) =>
      session.query<{ id: string }>(`select id from freshet.runs where state = 'held'`),
    );
    const promoted = await json('promote', rows[0]?.id ?? '');
    expect(promoted.status).toBe(0);
    expect(toldBy(promoted).run).toMatchObject({ state: 'succeeded', attempt: 2 });
    expect(await aliases()).toEqual(bIsLive);
  });

  it.each([
    ['reconcile.before', bIsHeld],
    ['promote.tablesSwapped', bIsHeld],
    ['promote.aliasesMoved', bIsLive],
  ])(
    'whose promotion is killed at %s has its candidate in one place, and goes on',
    async (failpoint, expected) => {
      await refreshLive();
      const id = await hold();
      await kill(failpoint, 'promote', id);
      expect(await aliases()).toEqual(expected);
      const resumed = await json('refresh', 'local', 'image');
      expect(resumed.stderr).toContain('resuming');
      expect(resumed.status).toBe(0);
      await expectPromoted(id);
    },
  );

  it('that is unknown, or not held, cannot be promoted', async () => {
    await refreshLive();
    expect((await local.run(['promote', 'no-such-run'])).status).toBe(64);
    const { rows } = await local.withState((session) =>
      session.query<{ id: string }>('select id from freshet.runs'),
    );
    const refused = await local.run(['promote', rows[0]?.id ?? '']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('NOT_HELD');
  });
});
