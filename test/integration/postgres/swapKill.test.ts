import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { listParts } from '../../../src/postgres/generations.js';
import { swapTables, validateForeignKeys, type SwapOptions } from '../../../src/postgres/swap.js';
import { describeTable } from '../../../src/postgres/tableShape.js';
import { createApi, diffBeforeAfter, named, prepareRefresh, refreshTables } from './refreshCycle.js';

const entry = fileURLToPath(new URL('swapEntry.ts', import.meta.url));
const image = named('image');

/** Promotes in another process that dies at `failpoint`. */
async function swapUntilKilled({ apiUrl, runId, tables }: SwapOptions, failpoint: string): Promise<void> {
  const task = { apiUrl, runId, tables: tables.map((table) => ({ ...table, nextId: String(table.nextId) })) };
  const child = spawn(process.execPath, ['--import', 'jiti/register', entry], {
    env: { ...process.env, FRESHET_FAILPOINT: failpoint, FRESHET_TEST_SWAP: JSON.stringify(task) },
    stdio: 'inherit',
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}

test.each(['swap.before', 'swap.locked', 'swap.beforeCommit', 'swap.afterCommit'])(
  'D26, D35: killed at %s the live table has all its constraints, and the promotion started again is done once',
  async (failpoint) => {
    const api = await createApi(`
      create table image (id serial primary key, url text unique check (url <> ''));
      insert into image (url) select 'u' || n from generate_series(1, 50) n; create view v as select * from image;
      create table list (id int primary key, image_id int references image deferrable initially deferred); insert into list values (1, 7), (2, 50)`);
    const before = await describeTable(api.session, image);
    const swap = await prepareRefresh(api, [image], {
      runId: 'run-1',
      nextId: 51n,
      rowsFrom: () => 'select * from public.image where id < 50',
    });
    await swapUntilKilled(swap, failpoint);
    const record = await swapTables(swap);
    await validateForeignKeys(api.url, record);
    expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
    expect(record.orphans).toMatchObject([{ rows: 1 }]);
    expect(await api.rows('select count(*)::int as n from list')).toEqual([{ n: 1 }]);
    expect(await api.rows('select count(*)::int as n from v')).toEqual([{ n: 49 }]);
    const roles = (await listParts(api.session, 'image')).map(({ kind, role }) => `${kind} ${role}`).sort();
    expect(roles).toEqual(['orphans previous', 'table live', 'table previous']);
    await refreshTables(api, [image], { runId: 'run-2' });
    expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
  },
);
