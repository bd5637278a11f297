import { expect, test } from 'vitest';
import type { Session } from '../../../src/postgres/session.js';
import { swapTables, validateForeignKeys } from '../../../src/postgres/swap.js';
import { createApi, named, prepareRefresh, refreshTables, type ApiDatabase } from './refreshCycle.js';

const image = named('image');
const imageAndList = `
  create table image (id serial primary key, url text not null unique);
  insert into image (url) select 'u' || n from generate_series(1, 100) n;
  create table list (id serial primary key, image_id int not null references image deferrable initially deferred);
  insert into list (image_id) select n from generate_series(1, 50) n; create table deleted (id int primary key)`;

/** Deletes from the new rows what writers listed as deleted. */
async function applyDeleted(session: Session): Promise<number> {
  const { rowCount } = await session.query(
    'delete from public.temp_import_image t using public.deleted d where t.id = d.id',
  );
  return rowCount ?? 0;
}

const isListValid = (api: ApiDatabase): Promise<unknown> =>
  api.rows(`select convalidated as valid from pg_constraint where conname = 'list_image_id_fkey'`);

test('D14: rows that refer to a record which a writer deleted during the run are kept aside too', async () => {
  const api = await createApi(imageAndList);
  const rowsFrom = (): string => 'select * from public.image where id > 1';
  const swap = await prepareRefresh(api, [image], { runId: 'run-1', rowsFrom });
  await api.run('insert into deleted values (3), (4)');
  const record = await swapTables({ ...swap, insideSwap: applyDeleted });
  await validateForeignKeys(api.url, record);
  expect(record.orphans).toMatchObject([{ rows: 3 }]);
  expect(await isListValid(api)).toEqual([{ valid: true }]);
});

test('D14: a deletion that comes while the locks are waited for takes its orphans along, into the same kept table', async () => {
  const api = await createApi(imageAndList);
  const rowsFrom = (): string => 'select * from public.image where id > 1';
  const swap = await prepareRefresh(api, [image], { runId: 'run-1', rowsFrom });
  const writer = await api.open();
  let calls = 0;
  const insideSwap = async (session: Session): Promise<number> => {
    const deleted = await applyDeleted(session);
    calls += 1;
    // After the first look, before the second.
    if (calls === 1) await writer.query('insert into public.deleted values (7)');
    return deleted;
  };
  const record = await swapTables({ ...swap, insideSwap });
  await validateForeignKeys(api.url, record);
  const kept = record.orphans[0]?.kept.name ?? '';
  expect(record.orphans).toMatchObject([{ rows: 2 }]);
  expect(await api.rows(`select image_id from freshet."${kept}" order by 1`)).toEqual([
    { image_id: 1 },
    { image_id: 7 },
  ]);
  expect(await isListValid(api)).toEqual([{ valid: true }]);
});

test('D14: more orphans than the limit allows are counted in the swap and nothing is changed', async () => {
  const api = await createApi(imageAndList);
  const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
  await api.run('insert into deleted values (3), (4)');
  const limited = { ...swap, insideSwap: applyDeleted };
  await expect(swapTables({ ...limited, orphansMax: 1 })).rejects.toMatchObject({
    code: 'ORPHANS_OVER_LIMIT',
    message: expect.stringContaining('2 rows') as string,
  });
  expect(await api.rows('select count(*)::int as n from list')).toEqual([{ n: 50 }]);
  expect(await api.rows('select count(*)::int as n from temp_import_image')).toEqual([{ n: 100 }]);
  expect((await swapTables({ ...limited, orphansMax: 2 })).orphans).toMatchObject([{ rows: 2 }]);
});

test('a key that could not be validated after one promotion is validated after the next', async () => {
  const api = await createApi(imageAndList);
  const record = await swapTables(await prepareRefresh(api, [image], { runId: 'run-1' }));
  await api.run(
    `set session_replication_role = replica; insert into list (image_id) values (500); reset session_replication_role`,
  );
  await expect(validateForeignKeys(api.url, record)).rejects.toMatchObject({ code: '23503' });
  expect(await isListValid(api)).toEqual([{ valid: false }]);
  await refreshTables(api, [image], { runId: 'run-2' });
  expect(await isListValid(api)).toEqual([{ valid: true }]);
});

test('a key that was NOT VALID before the first promotion stays so', async () => {
  const api = await createApi(imageAndList);
  await api.run(`alter table list drop constraint list_image_id_fkey;
    alter table list add constraint list_image_id_fkey foreign key (image_id) references image not valid`);
  for (const runId of ['run-1', 'run-2']) await refreshTables(api, [image], { runId });
  expect(await isListValid(api)).toEqual([{ valid: false }]);
});
