import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { expectError, footprintOf } from './untouched.js';

const load = (...words: string[]): string[] => ['load-sample-data', '--records', '300', ...words];

describe('freshet load-sample-data', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
  });
  afterAll(() => local.drop());
  afterEach(async () => {
    await local.withCatalog((session) => session.query('truncate public.image, public.audio'));
  });

  const foreignRecord = (media: 'image' | 'audio') =>
    local.withCatalog((session) =>
      session.query(
        `insert into public.${media} (identifier, created_on, updated_on, url, license, removed_from_source)
         values (gen_random_uuid(), now(), now(), 'https://precious.example.org', 'by', false)`,
      ),
    );

  it.each(['staging', 'production', 'lokal'])('refuses the environment %s', async (environment) => {
    const before = await footprintOf(local);
    const outcome = await local.run(load('--environment', environment, '--json'));
    expectError(outcome, {
      status: 2,
      code: 'SAMPLE_REFUSED',
      says: new RegExp(`Sample data is for local only, not for ${environment}`),
    });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ error: { code: 'SAMPLE_REFUSED' } });
    expect(await footprintOf(local)).toEqual(before);
  });

  it.each(['image', 'audio'] as const)(
    'refuses a catalog with a single %s record that it did not put there',
    async (media) => {
      await foreignRecord(media);
      const before = await footprintOf(local);
      expectError(await local.run(load()), {
        status: 2,
        code: 'SAMPLE_REFUSED',
        says: new RegExp(`The catalog's ${media} table has 1 records; freshet put none of them there`),
      });
      expect(await footprintOf(local)).toEqual(before);
    },
  );

  const header = async (): Promise<string> => {
    const { rows } = await local.withCatalog((session) =>
      session.query<{ header: string }>(
        `select string_agg(attname, ',' order by attnum) as header from pg_attribute
         where attrelid = 'public.audio'::regclass and attnum > 0 and not attisdropped`,
      ),
    );
    return rows[0]?.header ?? '';
  };

  it.each([
    ['that is missing', () => null, /cannot be read: ENOENT/],
    ['that is empty', () => '', /line 1, column 1: the header ends/],
    ['with another column', () => 'identifier,title\n', /line 1, column 2: the header has "title"/],
    [
      'with a column too many',
      async () => `${await header()},more\n`,
      /the header has "more" where .* no further column/,
    ],
    [
      'with a value of another type',
      async () => `${await header()}\nnot-a-uuid,${',,'.repeat(30)}\n`,
      /line 2/,
    ],
  ])('refuses a CSV file %s before anything is loaded', async (_what, write, says) => {
    const file = join(local.folder, 'audio.csv');
    const text = await write();
    if (text !== null) await local.writeFile('audio.csv', text);
    const before = await footprintOf(local);
    const outcome = await local.run(load('--audio', text === null ? `${file}.missing` : file));
    expectError(outcome, { status: 64, code: 'CSV_INVALID', says });
    expect(outcome.stderr).toContain('audio.csv');
    expect(await footprintOf(local)).toEqual(before);
  });

  it('--json prints one object on stdout: what was loaded, and both refreshes', async () => {
    const outcome = await local.run(load('--json'));
    expect(outcome.status).toBe(0);
    const { loaded, refreshes } = JSON.parse(outcome.stdout) as {
      loaded: { loaded: { rows: number } }[];
      refreshes: unknown[];
    };
    expect(loaded.map((media) => media.loaded.rows)).toEqual([300, 300]);
    expect(refreshes).toHaveLength(2);
  });
});
