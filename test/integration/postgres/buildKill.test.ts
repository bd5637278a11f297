import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { buildOtherIndexes, buildUniqueKeys } from '../../../src/postgres/indexBuild.js';
import { plannedIndexes, type TempTablePlan } from '../../../src/postgres/tempTablePlan.js';
import { buildTempTables, createApi, finishTempTables, named, type ApiDatabase } from './refreshCycle.js';

const entry = fileURLToPath(new URL('buildEntry.ts', import.meta.url));

const building = (api: ApiDatabase): Promise<{ pid: number }[]> =>
  api.rows(`select pid from pg_stat_activity where datname = current_database() and query ~ '^create (unique )?index'
    and state = 'active' and application_name like 'freshet indexes run-1 %'`);

/** Kills a process that builds in the middle of its slow index. @returns the backend that goes on without it. */
async function buildUntilKilled(api: ApiDatabase, plan: TempTablePlan): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'jiti/register', entry], {
    env: { ...process.env, FRESHET_TEST_BUILD: JSON.stringify({ url: api.url, plan }) },
    stdio: 'inherit',
  });
  const exit = once(child, 'exit');
  await vi.waitFor(async () => expect(await building(api)).toHaveLength(1), {
    timeout: 20_000,
    interval: 20,
  });
  child.kill('SIGKILL');
  expect(await exit).toEqual([null, 'SIGKILL']);
  const [backend] = await building(api);
  if (backend === undefined) throw new Error('the backend ended with its client');
  return backend.pid;
}

const slowTable = `
  create function slow(n int) returns int language plpgsql immutable as 'begin perform pg_sleep(0.1); return n; end';
  create table image (id int primary key)`;
const rowsFrom = (): string => 'select n as id from generate_series(1, 30) n';

test.each(['unique index', 'index'])(
  'D26: killed in the middle of a slow %s, the successor ends the build that goes on and builds it once',
  async (kind) => {
    const api = await createApi(`${slowTable}; create ${kind} slowly on image (slow(id))`);
    const plans = await buildTempTables(api, [named('image')], { runId: 'run-1', rowsFrom });
    const [plan] = plans;
    if (plan === undefined) throw new Error('no plan');
    const left = await buildUntilKilled(api, plan);
    await buildUniqueKeys(api.url, plan);
    await buildOtherIndexes(api.url, plan);
    expect(await api.rows(`select from pg_stat_activity where pid = ${left}`)).toEqual([]);
    expect(await finishTempTables(api, plans)).toEqual([]);
  },
);

test('an index that another session has under way is waited for, not taken for duplicate keys', async () => {
  const api = await createApi('create table image (id int); create unique index i on image (id)');
  const plans = await buildTempTables(api, [named('image')], { runId: 'run-1', rowsFrom });
  const [plan] = plans;
  const index = plan && plannedIndexes(plan)[0];
  if (plan === undefined || index === undefined) throw new Error('no plan');
  const other = await api.open();
  await other.query(
    `begin; create unique index "${index.tempName}" on public.temp_import_image ${index.definition}`,
  );
  const built = buildUniqueKeys(api.url, plan);
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ '^create'`;
  await vi.waitFor(async () => expect(await api.rows(waiting)).toHaveLength(1), { timeout: 20_000 });
  await other.query('commit');
  await built;
  expect(await finishTempTables(api, plans)).toEqual([]);
});

test('an invalid index that a build left is built anew', async () => {
  const api = await createApi('create table image (id int primary key, a int); create index i on image (a)');
  const plans = await buildTempTables(api, [named('image')], { runId: 'run-1' });
  const [plan] = plans;
  const index = plan && plannedIndexes(plan).find(({ liveName }) => liveName === 'i');
  if (plan === undefined || index === undefined) throw new Error('no plan');
  await api.run(`create index "${index.tempName}" on temp_import_image (a);
    update pg_index set indisvalid = false where indexrelid = '"${index.tempName}"'::regclass`);
  expect(await finishTempTables(api, plans)).toEqual([]);
});
