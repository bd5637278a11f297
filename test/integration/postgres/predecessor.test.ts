import { expect, test } from 'vitest';
import { buildUniqueKeys, buildOtherIndexes, addConstraints } from '../../../src/postgres/indexBuild.js';
import { assertIdsFit, firstNewId, readIdSequence } from '../../../src/postgres/sequences.js';
import { describeTable } from '../../../src/postgres/tableShape.js';
import {
  buildTempTables,
  createApi,
  diffBeforeAfter,
  dropPrevious,
  finishTempTables,
  named,
  refreshTables,
} from './refreshCycle.js';

const image = named('image');

test('what the predecessor left is refreshed like any other: unowned sequence, plain unique indexes, odd names', async () => {
  const api = await createApi(`
    create sequence id_temp_import_image_seq; create sequence image_id_seq;
    create table image (id integer not null default nextval('id_temp_import_image_seq'), identifier uuid not null, url text);
    create unique index image_pkey on image (id); create unique index image_identifier_key on image (identifier);
    create table audioset (id integer constraint temp_import_audioset_pkey primary key, provider varchar(80));
    create index temp_import_audioset_provider on audioset (provider);
    insert into image (identifier, url) select gen_random_uuid(), 'u' || n from generate_series(1, 20) n; insert into audioset values (1, 'p')`);
  const tables = [image, named('audioset')];
  const before = [
    await describeTable(api.session, image),
    await describeTable(api.session, named('audioset')),
  ];
  for (const runId of ['run-1', 'run-2']) {
    await refreshTables(api, tables, { runId, nextId: 100n });
    for (const shape of before)
      expect(diffBeforeAfter(shape, await describeTable(api.session, shape.name))).toEqual([]);
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
  }
  await api.run('insert into image (identifier) values (gen_random_uuid())');
  expect(await api.rows('select max(id) as id from image')).toEqual([{ id: 100 }]);
});

test('a temp table without our mark is not dropped: it is named', async () => {
  const api = await createApi('create table image (id int); create table temp_import_image (mine text)');
  await expect(
    buildTempTables(api, [image], { runId: 'run-1', isRunOver: () => true }),
  ).rejects.toMatchObject({
    code: 'LEFTOVER_FOREIGN',
    message: expect.stringContaining('public.temp_import_image') as string,
  });
  expect(await api.rows('select * from temp_import_image')).toEqual([]);
});

test('D21: a temp table of a run that is over is replaced, of another one never', async () => {
  const api = await createApi('create table image (id int primary key); insert into image values (1)');
  await buildTempTables(api, [image], { runId: 'run-1' });
  await expect(buildTempTables(api, [image], { runId: 'run-2' })).rejects.toMatchObject({
    code: 'LEFTOVER_FOREIGN',
  });
  await buildTempTables(api, [image], { runId: 'run-2', isRunOver: (runId) => runId === 'run-1' });
  await refreshTables(api, [image], { runId: 'run-2' });
});

test('a mark whose object has another name by now does not make it ours', async () => {
  const api = await createApi('create table image (id int primary key)');
  await buildTempTables(api, [image], { runId: 'run-1' });
  await api.run('alter table temp_import_image rename to precious');
  expect(await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true })).toEqual([]);
  expect(await api.rows('select * from precious')).toEqual([]);
});

test('a previous table on which a user built something is not dropped with it', async () => {
  const api = await createApi('create table image (id int primary key)');
  const { tables } = await refreshTables(api, [image], { runId: 'run-1' });
  await api.run(`create view mine as select * from "${tables[0]?.previous.name ?? ''}"`);
  await expect(
    dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true }),
  ).rejects.toMatchObject({
    code: 'PREVIOUS_IN_USE',
  });
  await api.run('drop view mine');
  expect(await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true })).toHaveLength(
    1,
  );
});

test('a previous table of a run that is not known to be over stays, what was live before freshet goes', async () => {
  const api = await createApi('create table image (id int primary key)');
  const one = await refreshTables(api, [image], { runId: 'run-1' });
  const two = await refreshTables(api, [image], { runId: 'run-2' });
  const drop = async (isRunOver: (runId: string) => boolean): Promise<number[]> =>
    (await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver })).map(({ oid }) => oid);
  expect(await drop(() => false)).toEqual([one.tables[0]?.previousOid]);
  expect(await drop((runId) => runId === 'run-1')).toEqual([two.tables[0]?.previousOid]);
});

test('D19: duplicates stop the run at the unique keys, named with their rows', async () => {
  const api = await createApi(`
    create table image (id int primary key, identifier uuid, url text constraint image_url_key unique, p text);
    create unique index folded on image (lower(p)) where id > 0; insert into image values (1, '00000000-0000-0000-0000-000000000001', 'a', 'x')`);
  const options = {
    rowsFrom: () =>
      `select * from public.image union all select 2, '00000000-0000-0000-0000-000000000002', 'a', 'y'`,
  };
  const [plan] = await buildTempTables(api, [image], { runId: 'run-1', ...options });
  if (plan === undefined) throw new Error('no plan');
  await expect(buildUniqueKeys(api.url, plan)).rejects.toMatchObject({
    code: 'DUPLICATE_KEYS',
    message: `image_url_key cannot be unique: ["a"] in 2 rows (identifier 00000000-0000-0000-0000-000000000001 id 1, identifier 00000000-0000-0000-0000-000000000002 id 2).`,
  });
  await api.run(`update temp_import_image set url = 'b', p = 'X' where id = 2`);
  await expect(buildUniqueKeys(api.url, plan)).rejects.toThrow(/folded cannot be unique: \["x"\] in 2 rows/);
  await api.run(`update temp_import_image set p = null`);
  await buildUniqueKeys(api.url, plan);
});

test('building twice, and beside itself, builds once', async () => {
  const api = await createApi(`
    create table p (id int primary key); create table image (id int primary key, a int check (a > 0), b int references p);
    create index i on image (a); create index j on image (b); comment on index i is 'c'; create unique index k on image (a, b)`);
  const plans = await buildTempTables(api, [image], { runId: 'run-1' });
  const [plan] = plans;
  if (plan === undefined) throw new Error('no plan');
  await Promise.all([buildUniqueKeys(api.url, plan), buildUniqueKeys(api.url, plan)]);
  await Promise.all([
    buildOtherIndexes(api.url, plan, { connections: 3 }),
    buildOtherIndexes(api.url, plan, { connections: 2 }),
  ]);
  await Promise.all([addConstraints(api.url, plan), addConstraints(api.url, plan)]);
  expect(await finishTempTables(api, plans)).toEqual([]);
});

test('rows that violate a CHECK or a foreign key stop the run by the name of the constraint', async () => {
  const api = await createApi(`
    create table p (id int primary key); create table image (id int primary key, a int constraint positive check (a > 0), b int constraint to_p references p)`);
  const [bad] = await buildTempTables(api, [image], {
    runId: 'run-1',
    rowsFrom: () => 'select 1 as id, -1 as a, null::int as b',
  });
  if (bad === undefined) throw new Error('no plan');
  await expect(addConstraints(api.url, bad)).rejects.toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringContaining('positive') as string,
  });
  await api.run('update temp_import_image set a = 1, b = 7');
  await expect(addConstraints(api.url, bad)).rejects.toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringContaining('to_p') as string,
  });
});

test('D13: new ids start above the sequence, the live table and every kept previous table', async () => {
  const api = await createApi(`create table image (id serial primary key); insert into image default values`);
  const shape = await describeTable(api.session, image);
  expect(firstNewId(await readIdSequence(api.session, shape, 'id'))).toBe(2n);
  await api.run('insert into image values (50)');
  await refreshTables(api, [image], { runId: 'run-1', rowsFrom: () => 'select 1 as id' });
  const ids = await readIdSequence(api.session, await describeTable(api.session, image), 'id');
  expect(ids).toMatchObject({
    lastValue: 1n,
    maxId: 1n,
    previousMaxId: 50n,
    typeMax: 2_147_483_647n,
    sequence: named('image_id_seq'),
  });
  expect(firstNewId(ids)).toBe(51n);
  await api.run(`select setval('image_id_seq', 2147483000)`);
  const late = await readIdSequence(api.session, await describeTable(api.session, image), 'id');
  const range = { first: firstNewId(late), expectedNew: 647n, typeMax: late.typeMax };
  assertIdsFit(range, late);
  expect(() => {
    assertIdsFit({ ...range, expectedNew: 648n }, late);
  }).toThrow(/The sequence public.image_id_seq is at 2147483000, the largest id is 50/);
});
