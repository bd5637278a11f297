import { join } from 'node:path';
import { afterEach, beforeAll, afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../../setup/localEnvironment.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';
import { refuseRun, lenientGate } from './refusedRun.js';
import { expectCatalogIsLive, readLive, readMade, readRuns, type Made, type RunRow } from './runState.js';

/** Many slices of few rows each, so that some can be done and others not. */
const env = { FRESHET_TEST_PART_ROWS: '50' };
const suffix = 'retried';
/** Several attempts, each with processes of its own, on a machine that may do other things beside. */
const timeout = 300_000;

describe('freshet retry', () => {
  let catalog: TestDatabase;
  let api: TestDatabase;
  let local: LocalEnvironment;

  /** A catalog with records, as every test begins with. */
  beforeAll(async () => {
    const first = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: first.catalog.url, media: 'image', records: 300, seed: 23 });
    const { catalogUrl, apiUrl } = inject('parts');
    catalog = await createDatabase(catalogUrl, { template: first.catalog.name });
    api = await createDatabase(apiUrl, { template: first.api.name });
    await first.drop();
  });
  afterAll(() => Promise.all([catalog.drop(), api.drop()]));

  beforeEach(async () => {
    const templates = { catalog: catalog.name, api: api.name };
    local = await LocalEnvironment.create(inject('parts'), { env, templates, tables: false });
  });
  afterEach(() => local.drop());

  const refresh = (more: Readonly<Record<string, string>> = {}): Promise<CommandOutcome> =>
    local.run(['refresh', 'local', 'image', '--index-suffix', suffix], more);

  const lastRun = async (): Promise<RunRow> => {
    const run = (await readRuns(local)).at(-1);
    if (run === undefined) throw new Error('no run');
    return run;
  };

  const made = async (): Promise<Made> => readMade(local, (await lastRun()).id, suffix);

  const retry = async (
    args: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ): Promise<CommandOutcome> => local.run(['retry', (await lastRun()).id, ...args], more);

  /** The phases of `names` were not run again. */
  const expectKept = (before: Made, after: Made, ...names: string[]): void => {
    for (const name of names) expect(after.phases.get(name), name).toEqual(before.phases.get(name));
  };

  const expectAnew = (before: Made, after: Made, ...names: string[]): void => {
    for (const name of names) {
      const [earlier, later] = [
        before.phases.get(name)?.startedAt ?? '',
        after.phases.get(name)?.startedAt ?? '',
      ];
      expect(later > earlier, `${name} was run again`).toBe(true);
    }
  };

  const expectSucceeded = async (outcome: CommandOutcome): Promise<void> => {
    expect(outcome.status, outcome.stderr).toBe(0);
    expect((await lastRun()).state).toBe('succeeded');
    expect(await readRuns(local)).toHaveLength(1);
    await expectCatalogIsLive(local);
  };
  const refused = async (): Promise<Made> => {
    await refuseRun(local);
    return made();
  };

  it('after workers that died again and again: tables, keys and indexes are kept', async () => {
    const outcome = await refresh({ FRESHET_FAILPOINT: 'worker.rows' });
    expect(outcome.status).toBe(1);
    expect(await lastRun()).toMatchObject({
      state: 'failed',
      error: { code: 'SLICE_FAILED', phase: 'reindex' },
    });
    const before = await made();
    // One more that dies does not end it at once, however often the slice was tried before.
    const once = { FRESHET_FAILPOINT: 'worker.rows', FRESHET_FAILPOINT_ONCE: join(local.folder, 'once') };
    await expectSucceeded(await retry([], once));
    const after = await made();
    expectKept(before, after, 'count-before', 'copy', 'keys', 'create-indexes');
    expect(after.tempTable).toBe(before.tempTable);
    expect(after.mainIndex).toBe(before.mainIndex);
    expect(await lastRun()).toMatchObject({ attempt: 2, error: null });
  });

  it('after a rejected document: slices that are done are kept, the one with the corrected limit is not', async () => {
    const dates = {
      media: { image: { index: { mappings: { properties: { category: { type: 'date' } } } } } },
    };
    await local.writeConfig(dates);
    // The last one that is copied, so that earlier slices are done by then.
    await local.withCatalog((session) =>
      session.query(
        `update public.image set category = '2020-01-01';
         update public.image set category = 'no date at all'
           where identifier = (select identifier from public.image order by identifier desc limit 1)`,
      ),
    );
    expect((await refresh()).status).toBe(1);
    expect(await lastRun()).toMatchObject({ error: { code: 'REJECTS_OVER_LIMIT', phase: 'reindex' } });
    const before = await made();
    const done = before.slices.findIndex(({ state }) => state !== 'done');
    expect(done).toBeGreaterThan(0);
    await local.writeConfig({ ...dates, environments: { local: { gate: { rejectsMax: 1 } } } });
    const outcome = await retry();
    expect(outcome.status, outcome.stderr).toBe(0);
    const after = await made();
    expect(after.slices.slice(0, done)).toEqual(before.slices.slice(0, done));
    expect(after.slices[done]).toEqual({ state: 'done', attempt: (before.slices[done]?.attempt ?? 0) + 1 });
    expect(after.mainIndex).toBe(before.mainIndex);
    expectKept(before, after, 'copy', 'keys', 'create-indexes');
  });

  it(
    'after the gate: with another limit only the gate looks again, also after a retry that found no search engine',
    async () => {
      const before = await refused();
      const live = await readLive(local);
      const cutOff = await retry([], { FRESHET_SEARCH_URL: 'http://127.0.0.1:9' });
      expect(cutOff.status).toBe(1);
      expect(await lastRun()).toMatchObject({
        state: 'failed',
        error: { code: 'SEARCH_UNREACHABLE' },
        attempt: 2,
      });
      const unchanged = await retry();
      expect(unchanged.status).toBe(2);
      expect(await readLive(local)).toEqual(live);
      await local.writeConfig(lenientGate);
      await expectSucceeded(await retry());
      const after = await made();
      expectKept(before, after, 'count-before', 'copy', 'keys', 'create-indexes', 'reindex', 'constraints');
      expectKept(before, after, 'filtered-index', 'serving');
      expectAnew(before, after, 'wait', 'preflight', 'reconcile', 'verify');
      expect({ ...after, phases: null }).toEqual({ ...before, phases: null });
    },
    timeout,
  );

  it('after a refusal of the records themselves nothing is left, and all is done anew', async () => {
    await local.withCatalog((session) =>
      session.query(
        `alter table public.image drop constraint if exists image_url_key; drop index if exists public.image_url_key;
         update public.image set url = 'https://doubled.example.org/1.jpg'
         where identifier in (select identifier from public.image order by identifier limit 2)`,
      ),
    );
    expect((await refresh()).status).toBe(2);
    expect(await lastRun()).toMatchObject({ state: 'refused', error: { code: 'DUPLICATE_KEYS' } });
    const before = await made();
    expect(before.tempTable).toBeNull();
    await local.withCatalog((session) =>
      session.query(`update public.image set url = 'https://single.example.org/' || identifier
        where url = 'https://doubled.example.org/1.jpg'`),
    );
    const outcome = await retry();
    expect(outcome.stdout).toContain('what earlier attempts made is gone; done again from copy on');
    await expectSucceeded(outcome);
    expectAnew(before, await made(), 'copy');
  });

  it(
    'what somebody dropped by hand is made anew, with all that is made of it, and nothing else',
    async () => {
      const first = await refused();
      await local.search(`${local.aliases.image}-${suffix}-filtered`, { method: 'DELETE' });
      expect((await retry()).status).toBe(2);
      const filtered = await made();
      expectKept(first, filtered, 'copy', 'keys', 'create-indexes', 'reindex', 'constraints');
      expectAnew(first, filtered, 'filtered-index', 'serving');
      expect(filtered.mainIndex).toBe(first.mainIndex);
      expect(filtered.filteredIndex).not.toBe(first.filteredIndex);

      await local.search(`${local.aliases.image}-${suffix}`, { method: 'DELETE' });
      expect((await retry()).status).toBe(2);
      const main = await made();
      expectKept(first, main, 'copy');
      expectAnew(filtered, main, 'create-indexes', 'reindex', 'filtered-index');
      expect(main.tempTable).toBe(first.tempTable);
      expect(main.mainIndex).not.toBe(first.mainIndex);
      expect(main.slices).toEqual(first.slices.map(() => ({ state: 'done', attempt: 1 })));

      await local.withApi((session) => session.query('drop table public.temp_import_image'));
      await local.writeConfig(lenientGate);
      await expectSucceeded(await retry());
      const all = await made();
      expectAnew(main, all, 'copy', 'keys', 'create-indexes', 'reindex');
      expect(all.tempTable).not.toBe(first.tempTable);
    },
    timeout,
  );

  it(
    'from an earlier step: that and all after it is done anew, also with deletions that were applied meanwhile',
    async () => {
      await refused();
      // Deleted by an API writer after the copy: the next attempt takes the row out of the temp table.
      await local.withApi((session) =>
        session.query(
          `insert into public.api_deletedimage (created_on, updated_on, identifier)
         select now(), now(), identifier from public.temp_import_image order by id limit 2`,
        ),
      );
      expect((await retry()).status).toBe(2);
      const before = await made();
      const index = `${local.aliases.image}-${suffix}`;
      await local.search(`${index}/_doc/987654321?refresh=true`, {
        method: 'PUT',
        body: { title: 'not ours' },
      });
      expect((await retry(['--from-step', 'reindex'])).status).toBe(2);
      const reindexed = await made();
      expectKept(before, reindexed, 'copy', 'create-indexes');
      expectAnew(before, reindexed, 'reindex', 'constraints', 'filtered-index', 'verify');
      expect(reindexed.tempTable).toBe(before.tempTable);
      expect(await local.search(`${index}/_doc/987654321`)).toMatchObject({ found: false });

      await local.writeConfig(lenientGate);
      await expectSucceeded(await retry(['--from-step', 'copy']));
      const copied = await made();
      expectAnew(reindexed, copied, 'copy', 'keys', 'create-indexes', 'reindex', 'verify');
      expect(copied.tempTable).not.toBe(before.tempTable);
    },
    timeout,
  );

  it('from a step that is later than the failed one, or unknown, is refused, and the run stays as it is', async () => {
    await refused();
    const later = await retry(['--from-step', 'promote']);
    expect(later.status).toBe(2);
    expect(later.stderr).toMatch(/promote comes after verify, which is not done\. \(NOT_RETRYABLE\)/);
    const unknown = await retry(['--from-step', 'reindeer']);
    expect(unknown.status).toBe(64);
    expect(unknown.stderr).toMatch(/has no step reindeer; it has wait, preflight, .*copy, keys, .*promote/);
    expect((await local.run(['retry', 'no-such-run'])).status).toBe(64);
    expect(await lastRun()).toMatchObject({ state: 'refused', attempt: 1 });
  });
});
