import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../../setup/localEnvironment.js';

interface Shown {
  readonly generations: readonly {
    readonly runId: string;
    readonly state: string;
    readonly runState: string;
    readonly parts: readonly {
      readonly kind: string;
      readonly name: string;
      readonly count: number | null;
      readonly bytes: number | null;
      readonly sharedWith: readonly string[];
    }[];
  }[];
}

/** `freshet rollback`, with API writers that go on before, during and after it. */
describe('D37: rollback', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fill(300);
  });
  afterEach(() => local.drop());

  const api = async <T extends object>(sql: string): Promise<T[]> => {
    const result = await local.withApi((session) => session.query<T>(`set search_path = public; ${sql}`));
    return (result as unknown as { rows: T[] }[]).at(-1)?.rows ?? [];
  };
  /** The first so many records of a sample: more is more of them. */
  const fill = (records: number) =>
    fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records, seed: 5 });
  const catalog = (sql: string) => local.withCatalog((session) => session.query(sql));
  const expectDone = ({ status, stdout, stderr }: CommandOutcome): string => {
    expect(status, stdout + stderr).toBe(0);
    return stdout;
  };
  const refresh = async (...more: string[]) =>
    expectDone(await local.run(['refresh', 'local', 'image', ...more]));
  const rollback = (...more: string[]) => local.run(['rollback', 'local', 'image', ...more]);
  const generations = async () =>
    (JSON.parse(expectDone(await local.run(['generations', 'local', '--json']))) as Shown).generations;
  const aliases = () => [local.aliases.image, `${local.aliases.image}-filtered`];

  /** What readers find of a record, by its identifier. */
  const find = async (identifier: string) => {
    const rows = await api<{ id: string }>(`select id::text from image where identifier = '${identifier}'`);
    const documents = [];
    for (const alias of aliases()) {
      const all = [...(await local.documents(alias)).values()];
      documents.push(all.find((document) => document['identifier'] === identifier)?.['mature'] ?? null);
    }
    return { row: rows[0]?.id ?? null, mature: documents };
  };
  const gone = { row: null, mature: [null, null] };

  const takeDown = async (identifier: string): Promise<void> => {
    const { row } = await find(identifier);
    await api(`delete from imagelist_images where image_id = ${row}; delete from image where identifier = '${identifier}';
      insert into api_deletedimage (identifier, created_on, updated_on) values ('${identifier}', now(), now()); select`);
    for (const alias of aliases())
      await local.search(`${alias}/_doc/${row}?refresh=true`, { method: 'DELETE' });
  };
  const mark = async (identifier: string, mature: boolean): Promise<void> => {
    const { row } = await find(identifier);
    await api(
      mature
        ? `insert into api_matureimage (identifier, created_on) values ('${identifier}', now()); select`
        : `delete from api_matureimage where identifier = '${identifier}'; select`,
    );
    for (const alias of aliases()) {
      const body = { doc: { mature } };
      await local.search(`${alias}/_update/${row}?refresh=true`, { method: 'POST', body });
    }
  };
  const putIntoList = async (id: string): Promise<string> => {
    const [entry] = await api<{ id: string }>(
      `with list as (insert into imagelist (created_on, updated_on, title, slug, auth) values (now(), now(), 't', 's${id}', 'a${id}') returning id)
       insert into imagelist_images (imagelist_id, image_id) select id, ${id} from list returning id::text`,
    );
    return entry?.id ?? '';
  };
  const listEntries = async () =>
    (await api<{ id: string }>('select id::text from imagelist_images order by imagelist_images.id')).map(
      ({ id }) => id,
    );

  /** Records that both aliases have, unmarked, in the order of their identifiers. */
  const served = async (): Promise<string[]> => {
    const filtered = await local.documents(`${local.aliases.image}-filtered`);
    return [...filtered.values()]
      .filter((document) => document['mature'] !== true)
      .map((document) => String(document['identifier']))
      .sort();
  };
  const runs = async () => {
    const { rows } = await local.withState((session) =>
      session.query<{ flow: string; state: string }>(
        'select flow, state from freshet.runs order by created_at',
      ),
    );
    return rows.map(({ flow, state }) => `${flow} ${state}`);
  };
  /** What must hold whatever is live. */
  const expectSound = async (): Promise<void> => {
    const status = await local.run(['status', 'local', '--json']);
    expect(status.status, status.stdout + status.stderr).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({ differences: [], cannotTell: [], leases: [] });
    expectDone(await local.run(['diff-tables', 'local', 'image']));
    const [keys] = await api<{ invalid: string; owner: string | null }>(
      `select (select count(*)::text from pg_constraint where not convalidated) as invalid,
         (select d.refobjid::regclass::text from pg_depend d where d.objid = pg_get_serial_sequence('image', 'id')::regclass and d.deptype in ('a', 'i')) as owner`,
    );
    expect(keys).toEqual({ invalid: '0', owner: 'image' });
  };
  const maxId = async (): Promise<number> =>
    Number((await api<{ max: string }>('select max(id)::text as max from image'))[0]?.max);

  it('brings back what was live, without what was taken down since, forward again, and the next refresh works as always', async () => {
    await refresh();
    const [vanishing, deletedBefore, deletedLater, markedBefore, markedAfter, remarked, kept] =
      (await served()) as [string, string, string, string, string, string, string];
    await mark(remarked, true);
    const entry = await putIntoList((await find(vanishing)).row ?? '');
    const keptEntry = await putIntoList((await find(kept)).row ?? '');
    await takeDown(deletedBefore);
    await api(`create table seen (identifier uuid);
      create function note() returns trigger language plpgsql as 'begin insert into public.seen values (old.identifier); return old; end';
      create trigger note after delete on image for each row execute function note(); select`);
    await fill(340);
    await catalog(`delete from public.image where identifier = '${vanishing}'`);
    await refresh();
    expect(await find(vanishing)).toEqual(gone);
    expect(await listEntries()).toEqual([keptEntry]);
    const live = await generations();
    expect(live.map(({ state }) => state)).toEqual(['live', 'previous']);

    const [newest] = await api<{ id: string; identifier: string }>(
      'select id::text, identifier::text from image order by image.id desc limit 1',
    );
    const newEntry = await putIntoList(newest?.id ?? '');
    await takeDown(deletedLater);
    await mark(markedBefore, true);
    await mark(remarked, false);
    const before = await maxId();
    const outcome = await rollback();
    expect(expectDone(outcome)).toContain('1 rows and 1 documents deleted');
    expect((await find(vanishing)).row).not.toBeNull();
    expect(await find(newest?.identifier ?? '')).toEqual(gone);
    expect(await find(deletedBefore)).toEqual(gone);
    expect(await find(deletedLater)).toEqual(gone);
    expect((await find(markedBefore)).mature).toEqual([true, true]);
    expect((await find(remarked)).mature).toEqual([false, false]);
    expect(await listEntries()).toEqual([entry, keptEntry]);
    expect(await api('select identifier::text from seen')).toEqual([{ identifier: deletedLater }]);
    await expectSound();
    expect(await runs()).toEqual(['refresh succeeded', 'refresh rolled back', 'rollback succeeded']);
    expect((await generations()).map(({ state, runId }) => [state, runId])).toEqual([
      ['live', live[1]?.runId],
      ['previous', live[0]?.runId],
    ]);

    // Taken back and marked anew on what is live again: the other generation must not show it without its mark.
    await mark(remarked, true);
    await mark(markedAfter, true);
    await mark(markedBefore, false);
    await takeDown(kept);
    expectDone(await local.run(['clean', 'local']));
    expectDone(await rollback('--json'));
    expect(await find(vanishing)).toEqual(gone);
    expect((await find(newest?.identifier ?? '')).row).toBe(newest?.id);
    expect(await find(kept)).toEqual(gone);
    expect((await find(remarked)).mature).toEqual([true, true]);
    expect((await find(markedAfter)).mature).toEqual([true, true]);
    expect((await find(markedBefore)).mature).toEqual([false, false]);
    expect(await listEntries()).toEqual([newEntry]);
    await expectSound();
    expect(await runs()).toEqual([
      ...['refresh succeeded', 'refresh succeeded'],
      ...['rollback succeeded', 'rollback succeeded'],
    ]);

    expectDone(await rollback());
    await refresh();
    const [{ ids } = { ids: [] }] = await api<{ ids: string[] }>(
      `select coalesce(array_agg(id::text), '{}') as ids from image where id > ${before}`,
    );
    // The 40 records of the generation that was taken back: none has an id that was live.
    expect(ids.length).toBe(40);
    await expectSound();
    expect((await generations()).map(({ state }) => state)).toEqual(['live', 'previous']);
    expect((await find(kept)).row).toBeNull();
  }, 300_000);

  const expectRefused = ({ status, stdout, stderr }: CommandOutcome, code: string, reason: RegExp): void => {
    expect(status, stdout + stderr).toBe(2);
    expect(stderr).toContain(`(${code})`);
    expect(stderr).toMatch(reason);
  };
  /** Kills the command when it passes the failpoint. */
  const dieAt = async (args: readonly string[], failpoint: string): Promise<void> => {
    const child = local.spawn(args, { FRESHET_FAILPOINT: failpoint });
    child.stdout?.resume();
    child.stderr?.resume();
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal, failpoint).toBe('SIGKILL');
  };

  it('is refused with a reason: none to go back to, a run that holds the environment, a table of another shape, one that is gone', async () => {
    expectRefused(await rollback(), 'NO_PREVIOUS_GENERATION', /nothing that freshet made is live/);
    await refresh();
    expectRefused(await rollback(), 'NO_PREVIOUS_GENERATION', /was not made by freshet/);
    await refresh();
    const before = await generations();
    await dieAt(['refresh', 'local', 'image'], 'copy.before');
    expectRefused(await rollback(), 'ENVIRONMENT_BUSY', /local is held by local_image_data_refresh/);
    const [run] = (
      await local.withState((session) =>
        session.query<{ id: string }>('select id from freshet.runs where finished_at is null'),
      )
    ).rows;
    expectDone(await local.run(['cancel', run?.id ?? '']));
    await api('create index late on image (title); select');
    expectRefused(await rollback(), 'PREVIOUS_DIFFERS', /public\.image: index .*title.* is missing/);
    await api('drop index late; select');
    const name = before[1]?.parts[0]?.name ?? '';
    await local.withApi((session) => session.query(`alter table ${name} rename to elsewhere`));
    expectRefused(await rollback(), 'PREVIOUS_DIFFERS', /is gone, or somebody renamed it/);
    expect((await generations()).map(({ runId, state }) => [runId, state])).toEqual(
      before.map(({ runId, state }) => [runId, state]),
    );
    await local.withApi((session) =>
      session.query(`alter table public.elsewhere rename to "${name.replace('public.', '')}"`),
    );
    expectDone(await rollback());
    await expectSound();
    expect((await runs()).filter((one) => one.startsWith('rollback'))).toEqual([
      ...['rollback refused', 'rollback refused', 'rollback succeeded'],
    ]);
  }, 300_000);

  it('of generations that share tables moves the aliases that differ, and `freshet generations` says what is shared', async () => {
    await refresh();
    await refresh('--skip-copy-data');
    expectDone(await local.run(['filtered-index', 'local', 'image']));
    const shared = async () =>
      (await generations()).map(({ state, parts }) => [
        state,
        ...parts.map((part) => part.sharedWith.length),
      ]);
    expect(await shared()).toEqual([
      ['live', 1, 1, 0],
      ['previous', 1, 1, 0],
    ]);
    const [live, previous] = await generations();
    const [deleted] = await served();
    await takeDown(deleted ?? '');
    await dieAt(['rollback', 'local', 'image'], 'promote.aliasesMoved');
    const resumed = await rollback();
    expectDone(resumed);
    expect(resumed.stderr).toContain('resuming');
    expect(await find(deleted ?? '')).toEqual(gone);
    const served2 = await local.indexes();
    expect(served2[previous?.parts[2]?.name ?? '']).toEqual([`${local.aliases.image}-filtered`]);
    expect(served2[live?.parts[2]?.name ?? '']).toEqual([]);
    expect(served2[live?.parts[1]?.name ?? '']).toEqual([local.aliases.image]);
    await expectSound();
    expect((await generations()).map(({ runId, state, runState }) => [runId, state, runState])).toEqual([
      [previous?.runId, 'live', 'succeeded'],
      [live?.runId, 'previous', 'rolled back'],
    ]);
  }, 300_000);

  it('goes on after kill -9 between tables and aliases with what writers did meanwhile, and says which reader is in the way', async () => {
    await refresh();
    const [first, second] = (await served()) as [string, string];
    await refresh();
    await dieAt(['rollback', 'local', 'image'], 'reconcile.recorded');
    await takeDown(first);
    await dieAt(['rollback', 'local', 'image'], 'swap.afterCommit');
    await takeDown(second);
    await mark((await served())[0] ?? '', true);
    const marked = (await api<{ identifier: string }>('select identifier::text from api_matureimage'))[0];
    expectDone(await rollback());
    expect(await find(first)).toEqual(gone);
    expect(await find(second)).toEqual(gone);
    expect((await find(marked?.identifier ?? '')).mature).toEqual([true, true]);
    await expectSound();

    const reader = await local.openApi();
    try {
      await reader.query('begin; select count(*) from public.image');
      const child = local.spawn(['rollback', 'local', 'image']);
      let told = '';
      const blocked = new Promise<void>((resolve) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream?.on('data', (chunk: Buffer) => {
            told += chunk.toString();
            if (told.includes('waits for pid')) resolve();
          });
        }
      });
      const ended = once(child, 'close') as Promise<[number | null]>;
      await Promise.race([blocked, ended]);
      expect(told).toContain('select count(*) from public.image');
      await reader.query('commit');
      expect((await ended)[0], told).toBe(0);
    } finally {
      await reader.end();
    }
    expect(await find(first)).toEqual(gone);
    await expectSound();
  }, 300_000);
});
