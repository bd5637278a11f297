import { describe, expect, test } from 'vitest';
import { listParts } from '../../../src/postgres/generations.js';
import { countOrphans } from '../../../src/postgres/orphans.js';
import type { Session } from '../../../src/postgres/session.js';
import { readSwap, swapTables, validateForeignKeys, type Blocker } from '../../../src/postgres/swap.js';
import { describeTable } from '../../../src/postgres/tableShape.js';
import { planTempTable } from '../../../src/postgres/tempTablePlan.js';
import {
  buildTempTables,
  createApi,
  diffBeforeAfter,
  dropPrevious,
  finishTempTables,
  named,
  prepareRefresh,
  refreshTables,
  type ApiDatabase,
} from './refreshCycle.js';

const image = named('image');
const imageAndList = `
  create table image (id serial primary key, url text not null unique);
  insert into image (url) select 'u' || n from generate_series(1, 1000) n;
  create table list (id serial primary key, image_id int not null references image deferrable initially deferred);
  insert into list (image_id) select n from generate_series(1, 100) n`;

interface Reads {
  count: number;
  readonly waitedMs: number[];
  readonly errors: unknown[];
}

/** Reads through table, view and list as fast as it can until told to stop. */
async function readUntil(session: Session, stopped: () => boolean, query: string): Promise<Reads> {
  const reads: Reads = { count: 0, waitedMs: [], errors: [] };
  while (!stopped()) {
    const start = performance.now();
    await session.query(query).catch((error: unknown) => reads.errors.push(error));
    reads.waitedMs.push(performance.now() - start);
    reads.count += 1;
  }
  return reads;
}

/** What a user could tell apart: catalog, rows, constraints of both tables. */
async function observe(api: ApiDatabase): Promise<unknown> {
  return {
    shape: await describeTable(api.session, image),
    rows: await api.rows('select count(*), sum(id) from image'),
    list: await api.rows('select * from list order by id'),
  };
}

describe('promotion', () => {
  test('D35: a second promotion of the same run does nothing and tells the same', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const first = await swapTables(swap);
    const after = await observe(api);
    const second = await swapTables(swap);
    expect({ ...second, lockHeldMs: 0 }).toEqual({ ...first, lockHeldMs: 0 });
    expect(await observe(api)).toEqual(after);
  });

  test('D35: two processes that promote one run at once promote it once', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const [first, second] = await Promise.all([swapTables(swap), swapTables(swap)]);
    expect(first.tables).toEqual(second.tables);
    expect(await api.rows('select count(*)::int as n from freshet.swaps')).toEqual([{ n: 1 }]);
  });

  test('a refresh and the next one leave one live and the marks say which', async () => {
    const api = await createApi(imageAndList);
    const before = await describeTable(api.session, image);
    const one = await refreshTables(api, [image], { runId: 'run-1' });
    const two = await refreshTables(api, [image], { runId: 'run-2' });
    const roles = (await listParts(api.session, 'image')).map(({ oid, role, runId }) => ({
      oid,
      role,
      runId,
    }));
    expect(roles).toEqual(
      expect.arrayContaining([
        { oid: before.oid, role: 'previous', runId: 'unmarked' },
        { oid: one.tables[0]?.liveOid, role: 'previous', runId: 'run-1' },
        { oid: two.tables[0]?.liveOid, role: 'live', runId: 'run-2' },
      ]),
    );
    const dropped = await dropPrevious(api.url, {
      media: 'image',
      keepOids: [two.tables[0]?.previousOid ?? 0],
      isRunOver: () => true,
    });
    expect(dropped.map(({ oid }) => oid)).toEqual([before.oid]);
    expect(await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true })).toHaveLength(
      1,
    );
    expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
    expect(await api.rows('select count(*)::int as n from list join image on image.id = image_id')).toEqual([
      { n: 100 },
    ]);
  });

  test('D13: known ids are kept and the sequence goes forward to what was told, never back', async () => {
    const api = await createApi(imageAndList);
    await refreshTables(api, [image], { runId: 'run-1', nextId: 1501n });
    await api.run(`insert into image (url) values ('new')`);
    expect(await api.rows(`select id from image where url = 'new'`)).toEqual([{ id: 1501 }]);
    await refreshTables(api, [image], { runId: 'run-2', nextId: 10n });
    await api.run(`insert into image (url) values ('newer')`);
    expect(await api.rows(`select id from image where url = 'newer'`)).toEqual([{ id: 1502 }]);
    expect(await api.rows(`select pg_get_serial_sequence('image', 'id') as s`)).toEqual([
      { s: 'public.image_id_seq' },
    ]);
  });

  test('D26: a live table that was changed while the run went on is not replaced', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    await api.run('create index late on image (url, id); alter table image add check (id > 0)');
    const before = await observe(api);
    await expect(swapTables(swap)).rejects.toMatchObject({ code: 'SHAPE_DIFFERS' });
    expect(await observe(api)).toEqual(before);
  });

  test('D26: a live table that was replaced while the run went on is not replaced by the run', async () => {
    const api = await createApi('create table image (id int primary key); insert into image values (1)');
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const { oid } = await describeTable(api.session, image);
    await api.run(`create schema older; alter table image set schema older;
      create table image (id int constraint image_id_not_null not null constraint image_pkey primary key); insert into image values (2)`);
    const shape = await describeTable(api.session, image);
    // A plan made after it, with names for the indexes that were built.
    const plan = { ...planTempTable(shape, 'run-1'), items: swap.tables[0]?.plan.items ?? [] };
    const tables = [{ live: image, plan, nextId: null, idColumn: 'id' }];
    const failed = swapTables({ ...swap, tables, expectedLiveOids: { 'public.image': oid } });
    await expect(failed).rejects.toMatchObject({
      code: 'SHAPE_DIFFERS',
      message: expect.stringContaining('public.image is another table') as string,
    });
    expect(await api.rows('select * from image')).toEqual([{ id: 2 }]);
    await swapTables({ ...swap, tables, expectedLiveOids: { 'public.image': shape.oid } });
    expect(await api.rows('select * from image')).toEqual([{ id: 1 }]);
  });

  test('D29: an index that was renamed while the run went on never gets the name of another', async () => {
    const api = await createApi(
      `${imageAndList}; create index a on image (url, id); create index b on image (id, url)`,
    );
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    await api.run('alter index a rename to c');
    const before = await observe(api);
    const shape = await describeTable(api.session, image);
    const planned = { live: image, plan: planTempTable(shape, 'run-1'), nextId: null, idColumn: 'id' };
    for (const tables of [swap.tables, [planned]]) {
      await expect(swapTables({ ...swap, tables })).rejects.toMatchObject({ code: 'SHAPE_DIFFERS' });
    }
    expect(await observe(api)).toEqual(before);
  });

  test('a failing reconcile leaves everything as it was', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const before = await observe(api);
    const insideSwap = (): Promise<number> => Promise.reject(new Error('reconcile'));
    await expect(swapTables({ ...swap, insideSwap })).rejects.toThrow('reconcile');
    expect(await observe(api)).toEqual(before);
    await swapTables(swap);
  });

  test('the reconcile changes the rows that are promoted, deferred constraints or not', async () => {
    const api = await createApi(`create table provider (id int primary key); insert into provider values (1);
      create table image (id int primary key, p int references provider deferrable initially deferred, a int unique deferrable initially deferred);
      insert into image values (1, 1, 1), (2, 1, 2)`);
    const insideSwap = async (session: Session): Promise<number> => {
      const { rowCount } = await session.query('delete from public.temp_import_image where id = 1');
      await session.query('update public.temp_import_image set p = 1, a = 1');
      return rowCount ?? 0;
    };
    await refreshTables(api, [image], { runId: 'run-1', swap: { insideSwap } });
    expect(await api.rows('select * from image')).toEqual([{ id: 2, p: 1, a: 1 }]);
  });
});

describe('orphans', () => {
  const without = { runId: 'run-1', rowsFrom: () => 'select * from public.image where id > 10' };

  test('D14: rows that refer to vanished records are counted, kept aside, the others keep their media', async () => {
    const api = await createApi(imageAndList);
    const plans = await buildTempTables(api, [image], without);
    await finishTempTables(api, plans);
    expect(await countOrphans(api.session, plans)).toMatchObject([
      { foreignKey: 'list_image_id_fkey', rows: 10 },
    ]);
    const record = await refreshTables(api, [image], { ...without, runId: 'run-2', isRunOver: () => true });
    expect(record.orphans).toMatchObject([{ rows: 10, columns: ['id', 'image_id'], table: named('list') }]);
    const kept = record.orphans[0]?.kept.name ?? '';
    expect(await api.rows(`select count(*)::int as n, max(image_id) as last from freshet."${kept}"`)).toEqual(
      [{ n: 10, last: 10 }],
    );
    expect(await api.rows('select count(*)::int as n, min(image_id) as first from list')).toEqual([
      { n: 90, first: 11 },
    ]);
    expect(
      await api.rows(`select convalidated as v from pg_constraint where conname = 'list_image_id_fkey'`),
    ).toEqual([{ v: true }]);
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
    expect(
      await api.rows(
        `select count(*)::int as n from pg_class where relnamespace = 'freshet'::regnamespace and relname like 'orphans%'`,
      ),
    ).toEqual([{ n: 0 }]);
  });

  test('orphans that others refer to are not deleted: the promotion is refused', async () => {
    const api = await createApi(`${imageAndList};
      create table note (id int primary key, list_id int references list on delete cascade); insert into note values (1, 1)`);
    const swap = await prepareRefresh(api, [image], without);
    const before = await observe(api);
    await expect(swapTables(swap)).rejects.toMatchObject({ code: 'ORPHANS_NOT_MOVABLE' });
    expect(await observe(api)).toEqual(before);
    await api.run('delete from list where image_id <= 10');
    await swapTables(swap);
  });

  test('I11: before the promotion nothing is deleted and no key points at the temp table', async () => {
    const api = await createApi(imageAndList);
    const before = await observe(api);
    await prepareRefresh(api, [image], without);
    expect(await observe(api)).toEqual(before);
    await api.run('insert into list (image_id) values (5)');
    expect(
      await api.rows(
        `select count(*)::int as n from pg_constraint where confrelid = 'temp_import_image'::regclass`,
      ),
    ).toEqual([{ n: 0 }]);
  });
});

describe('readers and writers', () => {
  test('concurrent readers of table, view and list see no error, writers keep their rows', async () => {
    const api = await createApi(`${imageAndList}; create view v as select * from image where id > 1`);
    let stopped = false;
    const isStopped = (): boolean => stopped;
    const queries = [
      'select count(*) from public.image where id < 100',
      'select * from public.v where id = 7',
      'select count(*) from public.list l join public.image i on i.id = l.image_id',
    ];
    const readers = queries.map(async (query) => readUntil(await api.open(), isStopped, query));
    const writer = readUntil(await api.open(), isStopped, 'insert into public.list (image_id) values (500)');
    for (const runId of ['run-1', 'run-2', 'run-3']) await refreshTables(api, [image], { runId });
    stopped = true;
    const outcomes = await Promise.all([...readers, writer]);
    for (const { errors, count } of outcomes) {
      expect(errors).toEqual([]);
      expect(count).toBeGreaterThan(10);
    }
    const written = (await writer).count;
    expect(await api.rows('select count(*)::int as n from list where image_id = 500')).toEqual([
      { n: written },
    ]);
    const maxMs = Math.max(...outcomes.flatMap(({ waitedMs }) => waitedMs));
    expect(maxMs).toBeLessThan(1_000);
  });

  test('D33: an endless reader is shown and ends the promotion at the window, all as before; others wait briefly', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const idle = await api.open();
    await idle.query('begin; select 1 from public.image limit 1');
    const before = await observe(api);
    let stopped = false;
    const reader = readUntil(await api.open(), () => stopped, 'select 1 from public.image where id = 5');
    const shown: (readonly Blocker[])[] = [];
    const failed = swapTables({
      ...swap,
      lockWindowMs: 1_500,
      onBlocked: (blockers) => void shown.push(blockers),
    });
    await expect(failed).rejects.toMatchObject({ code: 'SWAP_BLOCKED' });
    stopped = true;
    const { waitedMs, errors } = await reader;
    expect(errors).toEqual([]);
    // 50 ms lock_timeout; the rest is for a busy machine.
    expect(Math.max(...waitedMs)).toBeLessThan(500);
    expect(shown.length).toBeGreaterThan(1);
    expect(shown.flat()).toContainEqual(
      expect.objectContaining({
        state: 'idle in transaction',
        query: expect.stringContaining('select 1') as string,
      }),
    );
    expect(await observe(api)).toEqual(before);
    await idle.query('commit');
    await validateForeignKeys(api.url, await swapTables(swap));
  });

  test('D33: a reader that ends within the window only delays the promotion', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const idle = await api.open();
    await idle.query('begin; select 1 from public.image limit 1');
    let tries = 0;
    const onBlocked = (): void => {
      tries += 1;
      if (tries === 2) void idle.query('commit');
    };
    const record = await swapTables({ ...swap, onBlocked });
    expect(record.lockRetries).toBeGreaterThanOrEqual(2);
  });

  test('D33: while somebody is in the way the reconcile and the orphans wait, and writers of the lists go on', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const idle = await api.open();
    await idle.query('begin; select 1 from public.image limit 1');
    let tries = 0;
    const reconciledAt: number[] = [];
    await swapTables({
      ...swap,
      insideSwap: () => {
        reconciledAt.push(tries);
        return Promise.resolve(0);
      },
      onBlocked: () => {
        tries += 1;
        if (tries === 3) void idle.query('commit');
      },
    });
    expect(Math.min(...reconciledAt)).toBeGreaterThanOrEqual(3);
  });

  test('a promotion can be stopped between two tries of its locks, with everything as before', async () => {
    const api = await createApi(imageAndList);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    const idle = await api.open();
    await idle.query('begin; select 1 from public.image limit 1');
    let tries = 0;
    const beforeTry = (): Promise<void> =>
      tries === 2 ? Promise.reject(new Error('stop')) : Promise.resolve();
    const failed = swapTables({ ...swap, onBlocked: () => void (tries += 1), beforeTry });
    await expect(failed).rejects.toThrow('stop');
    expect(await readSwap(api.session, 'run-1')).toBeNull();
  });
});
