import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { openSession } from '../../../src/postgres/session.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { expectError, expectUntouched, footprintOf, type Footprint } from './untouched.js';

describe('names, lists and limits that cannot be used: the error says so and nothing is changed', () => {
  let local: LocalEnvironment;
  let before: Footprint;
  let runsBefore: number;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    expect((await local.run(['refresh', 'local', 'image', '--index-suffix', 'live'])).status).toBe(0);
  });
  afterAll(() => local.drop());
  beforeEach(async () => {
    before = await footprintOf(local);
    runsBefore = await countRuns();
  });
  afterEach(() => expectUntouched(local, before));

  const countRuns = () =>
    local.withState(async (session) => {
      const { rows } = await session.query<{ runs: string }>('select count(*) as runs from freshet.runs');
      return Number(rows[0]?.runs);
    });

  it.each(['image', 'image-filtered'])(
    'D40: a concrete index with the name of the alias %s is refused before anything is copied',
    async (name) => {
      const alias = name.replace('image', `${local.aliases.image}x`);
      await local.writeConfig({
        media: {
          image: {
            index: {
              alias: `${local.aliases.image}x`,
              filteredAlias: `${local.aliases.image}x-filtered`,
            },
          },
        },
      });
      await local.search(alias, { method: 'PUT' });
      before = await footprintOf(local);
      expectError(await local.run(['refresh', 'local', 'image']), {
        status: 2,
        code: 'ALIAS_IS_INDEX',
        says: new RegExp(`${alias} is an index itself, so that it cannot be an alias`),
      });
      await expectUntouched(local, before);
      await local.search(alias, { method: 'DELETE' });
      await local.writeConfig({});
      before = await footprintOf(local);
    },
  );

  it('an index name that is taken is refused, whoever made the index', async () => {
    const live = await local.run(['refresh', 'local', 'image', '--index-suffix', 'live']);
    const taken = {
      status: 2,
      code: 'INDEX_NAME_TAKEN',
      says: new RegExp(`There is an index ${local.aliases.image}-live already`),
    } as const;
    expectError(live, taken);
    await expectUntouched(local, before);
    const foreign = `${local.aliases.image}-foreign-filtered`;
    await local.search(foreign, { method: 'PUT' });
    const withForeign = await footprintOf(local);
    const outcome = await local.run(['refresh', 'local', 'image', '--index-suffix', 'foreign']);
    expectError(outcome, { ...taken, says: new RegExp(`There is an index ${foreign} already`) });
    await expectUntouched(local, withForeign);
    await local.search(foreign, { method: 'DELETE' });
  });

  it.each([
    ['Upper', /has upper-case letters/],
    ['with space', /may have only letters/],
    ['star*', /may have only letters/],
    ['../etc', /may have only letters/],
    ["x'; drop table image; --", /may have only letters/],
    ['mine-filtered', /ends with "filtered"/],
    ['', /is empty/],
    ['x'.repeat(65), /has 65 characters; 64 are possible/],
  ])('the suffix %j is refused before a run is begun', async (suffix, says) => {
    const outcome = await local.run(['refresh', 'local', 'image', '--index-suffix', suffix]);
    expectError(outcome, { status: 64, code: 'SUFFIX_INVALID', says });
    expect(await countRuns()).toBe(runsBefore);
  });

  it.each([
    [['local', 'imgae'], /There is no definition "local imgae"\. Did you mean "local image"\?/],
    [['local_image_data_refrehs'], /Did you mean "local_image_data_refresh"/],
    [['local', 'image', 'now'], /There is no definition "local image now"/],
    [['everything'], /There are: local_image_data_refresh, local_audio_data_refresh/],
  ])('the definition %j is unknown; what was probably meant is named', async (words, says) => {
    expectError(await local.run(['refresh', ...words]), { status: 64, code: 'DEFINITION_UNKNOWN', says });
    expect(await countRuns()).toBe(runsBefore);
  });

  it.each(['0', '-1', '1.5', '1e3', '0x10', '2147483648', '99999999999999999999', 'all', ''])(
    'the record limit %j is refused with the range that is possible',
    async (limit) => {
      const outcome = await local.run(['refresh', 'local', 'image', `--record-limit=${limit}`]);
      expect(outcome.stderr).toMatch(/whole number of rows \(or `none`\) from 1 to 2147483647/);
      expect(outcome.status).toBe(64);
      expect(await countRuns()).toBe(runsBefore);
    },
  );

  it.each([
    ['missing', null, /cannot be read: ENOENT/],
    ['empty', '\n\n', /holds no term/],
    ['a web page', '<!doctype html><title>forbidden</title>', /is a web page/],
    ['no text', Buffer.from([0xff, 0xfe, 0x00]), /is not UTF-8 text/],
  ])(
    'a list of sensitive terms that is %s is refused before anything is copied',
    async (_what, content, says) => {
      const file = join(local.folder, 'terms.txt');
      if (content !== null) await writeFile(file, content);
      const outcome = await local.run(['refresh', 'local', 'image'], {
        FRESHET_SENSITIVE_TERMS: content === null ? `${file}.missing` : file,
      });
      expectError(outcome, { status: 2, code: 'TERMS_UNUSABLE', says });
    },
  );

  it('a list of sensitive terms at a URL that does not answer is refused without the password of the URL', async () => {
    const outcome = await local.run(['refresh', 'local', 'image'], {
      FRESHET_SENSITIVE_TERMS: 'http://reader:open-sesame@127.0.0.1:9/terms.txt?token=open-sesame',
      FRESHET_DEBUG: '1',
    });
    expectError(outcome, { status: 2, code: 'TERMS_UNUSABLE', says: /127\.0\.0\.1:9.* cannot be read/ });
    expect(outcome.stdout + outcome.stderr).not.toContain('sesame');
  });

  it('a second run of a definition is refused while the first goes on, and the first is not disturbed', async () => {
    // Holds the first run where it looks at the catalog.
    const gate = await openSession(local.catalog.url, { applicationName: 'test', called: 'catalog' });
    await gate.query('begin; lock table public.image in access exclusive mode');
    const first = local.spawn(['refresh', 'local', 'image', '--index-suffix', 'first', '--json']);
    const ended = outcomeOf(first);
    await expect.poll(countRuns, { timeout: 30_000 }).toBe(runsBefore + 1);
    await expect
      .poll(() => local.withState((session) => session.query(`select from freshet.leases`)), {
        timeout: 30_000,
      })
      .toMatchObject({ rowCount: 1 });
    const second = await local.run(['refresh', 'local', 'image', '--json']);
    expectError(second, {
      status: 64,
      code: 'ALREADY_RUNNING',
      says: /local_image_data_refresh is (running|waiting) already \(run \S+\), in another process \(freshet orchestrator \d+ on \S+\)/,
    });
    expect(JSON.parse(second.stdout)).toMatchObject({ error: { code: 'ALREADY_RUNNING' } });
    expect(await countRuns()).toBe(runsBefore + 1);
    await gate.query('commit');
    await gate.end();
    expect((await ended).status).toBe(0);
    if (first.exitCode === null) await once(first, 'exit');
    before = await footprintOf(local);
  });
});
