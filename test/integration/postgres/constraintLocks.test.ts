import { expect, test, vi } from 'vitest';
import { addConstraints } from '../../../src/postgres/indexBuild.js';
import { buildTempTables, createApi, finishTempTables, named } from './refreshCycle.js';

/** A CHECK that waits at each row as long as a test holds the lock: a scan that takes hours. */
const slowCheck = `
  create function slow(n int) returns boolean language plpgsql immutable as
    'begin perform pg_advisory_lock_shared(42); perform pg_advisory_unlock_shared(42); return true; end';
  create table image (id int primary key, n int, constraint slowly check (slow(n)))`;

test('workers read the temp table while its CHECKs look at the rows', async () => {
  const api = await createApi(slowCheck);
  const rowsFrom = (): string => 'select n as id, n from generate_series(1, 30) n';
  const plans = await buildTempTables(api, [named('image')], { runId: 'run-1', rowsFrom });
  const [plan] = plans;
  if (plan === undefined) throw new Error('no plan');
  const holder = await api.open();
  await holder.query('select pg_advisory_lock(42)');
  const added = addConstraints(api.url, plan);
  const waiting = `select from pg_locks where locktype = 'advisory' and not granted`;
  await vi.waitFor(async () => expect(await api.rows(waiting)).toHaveLength(1), { timeout: 20_000 });
  await api.run(`set lock_timeout = '1s'`);
  expect(await api.rows('select count(*) as rows from temp_import_image')).toEqual([{ rows: '30' }]);
  await holder.query('select pg_advisory_unlock(42)');
  await added;
  expect(await finishTempTables(api, plans)).toEqual([]);
});

test('a CHECK that was added and not yet validated is validated the next time', async () => {
  const api = await createApi('create table image (id int primary key, constraint positive check (id > 0))');
  const plans = await buildTempTables(api, [named('image')], {
    runId: 'run-1',
    rowsFrom: () => 'select -1 as id',
  });
  await api.run('alter table temp_import_image add constraint positive check (id > 0) not valid');
  await expect(finishTempTables(api, plans)).rejects.toMatchObject({ code: 'CONSTRAINT_VIOLATED' });
  await api.run('delete from temp_import_image');
  expect(await finishTempTables(api, plans)).toEqual([]);
});
