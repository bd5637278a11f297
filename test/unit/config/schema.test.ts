import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCronExpression } from '../../../src/config/fields.js';
import { buildConfig } from '../../../src/config/load.js';
import { openverse, type OpenverseOverrides } from '../../../src/config/presets/openverse.js';
import { holdsPassword } from '../../../src/config/secretField.js';
import { FreshetError } from '../../../src/errors.js';

const context = { env: {}, file: '/project/freshet.config.ts', folder: '/project' };

async function problemsOf(input: unknown, env: Record<string, string> = {}): Promise<string> {
  const error: unknown = await buildConfig(input, { ...context, env }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FreshetError);
  expect((error as FreshetError).code).toBe('CONFIGURATION_INVALID');
  return (error as FreshetError).message;
}

/** The message for the preset with these changes; they may be of any shape. */
const withChanges = (changes: unknown) => problemsOf(openverse(changes as OpenverseOverrides));

describe('the schema', () => {
  it('names the file, the key and the reason of every problem at once', async () => {
    const message = await withChanges({
      hostEnvironment: 'prod',
      environments: { local: { workers: 0, gate: { sampleRows: -1 } } },
    });
    expect(message).toContain('/project/freshet.config.ts is not valid (3 problems)');
    expect(message).toContain('hostEnvironment: ');
    expect(message).toContain('environments.local.workers: must be a whole number of workers from 1 to 100.');
    expect(message).toContain('environments.local.gate.sampleRows: must be a whole number of rows');
  });

  it.each([
    [{ environment: {} }, 'environment: unknown key. Did you mean "environments"?'],
    [
      { environments: { local: { workerz: 2 } } },
      'environments.local.workerz: unknown key. Did you mean "workers"?',
    ],
    [
      { environments: { local: { gate: { sampelRows: 1 } } } },
      'gate.sampelRows: unknown key. Did you mean "sampleRows"?',
    ],
    [
      { environments: { local: { search: { replica: 1 } } } },
      'search.replica: unknown key. Did you mean "replicas"?',
    ],
    [
      { media: { image: { main: { upstraem: 'image' } } } },
      'media.image.main.upstraem: unknown key. Did you mean "upstream"?',
    ],
    [
      { environments: { local: { media: { image: { shard: 1 } } } } },
      'media.image.shard: unknown key. Did you mean "shards"?',
    ],
    [
      { environments: { local: { quite: 1 } } },
      'environments.local.quite: unknown key. Possible here: catalogUrl, apiUrl, search,',
    ],
    [
      { environments: { local: { media: { imag: {} } } } },
      'environments.local.media.imag: there is no media type of that name under `media`. Did you mean "image"?',
    ],
  ])('says what a misspelled key %j was meant to be', async (changes, expected) => {
    expect(await withChanges(changes)).toContain(expected);
  });

  it.each([
    { environments: { local: { workers: 0 } } },
    { environments: { local: { workers: -1 } } },
    { environments: { local: { workers: 1.5 } } },
    { environments: { local: { workers: 1_000 } } },
    { environments: { local: { media: { image: { shards: 0 } } } } },
    { environments: { local: { media: { image: { shards: 1_025 } } } } },
    { environments: { local: { media: { image: { recordLimit: 0 } } } } },
    { environments: { local: { media: { image: { recordLimit: -5 } } } } },
    { environments: { local: { media: { image: { recordLimit: 3e9 } } } } },
    { environments: { local: { media: { image: { schedule: 'every monday' } } } } },
    { environments: { local: { search: { refreshInterval: '-1' } } } },
    { environments: { local: { search: { reindexDocsPerSecond: -1 } } } },
    { environments: { local: { gate: { sourceLossShareMax: 20 } } } },
    { environments: { local: { keepPreviousUntil: 'tomorrow' } } },
    { environments: { local: { catalogUrl: 'mysql://host/db' } } },
    { environments: { local: { catalogUrl: { environment: 'X' } } } },
    { environments: { 'my env': {} } },
    { media: { image: { index: { alias: 'Image' } } } },
    { media: { image: { index: { alias: '_image' } } } },
    { media: { image: { index: { alias: 'im age' } } } },
    { media: { image: { index: { alias: 'a/b' } } } },
    { media: { image: { index: { alias: '' } } } },
    { media: { image: { main: { key: [] } } } },
    { media: { image: { main: { upstream: 'a.b.c' } } } },
    { media: { image: { main: { downstream: 'x'.repeat(52) } } } },
    { media: { image: { main: { addedColumns: { a: 'int; drop table x' } } } } },
    { media: { image: { main: { transform: 'trim' } } } },
    { media: { image: { document: { build: 'image' } } } },
  ])('refuses %j', async (changes) => {
    await withChanges(changes);
  });

  it('refuses two media types with one alias or one table', async () => {
    const message = await withChanges({
      media: { audio: { main: { downstream: 'public.image' }, index: { filteredAlias: 'image' } } },
    });
    expect(message).toContain('the downstream table public.image is named more than once (image, audio)');
    expect(message).toContain('the alias image is named more than once (image, audio)');
  });

  it('refuses a media type that no environment refreshes', async () => {
    const { image } = openverse().media;
    expect(
      await withChanges({ media: { video: { ...image, main: { ...image?.main, downstream: 'video' } } } }),
    ).toContain('media.video: no environment refreshes it');
  });

  it('tells somebody without media types about the preset', async () => {
    expect(await problemsOf({ environments: {} })).toContain(
      'media: is missing; add media types, or `preset: "openverse"`',
    );
  });

  it.each([null, 1, 'x', []])('refuses %j as a whole configuration', async (input) => {
    await problemsOf(input);
  });
});

describe('cron expressions', () => {
  it.each(['0 0 * * 1', '*/5 * * * *', '0 0,12 1-15 1/3 0-6', '  0 0 * * 7 '])('takes %j', (text) => {
    expect(isCronExpression(text)).toBe(true);
  });
  it.each([
    '',
    '0 0 * *',
    '0 0 * * * *',
    '60 0 * * *',
    '0 24 * * *',
    '0 0 0 * *',
    '0 0 * 13 *',
    '0 0 * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    'a * * * *',
    '@daily',
  ])('refuses %j', (text) => {
    expect(isCronExpression(text)).toBe(false);
  });
});

describe('literal passwords', () => {
  const password = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0'));

  it('never stand in a configuration, and never in the message that refuses them', async () => {
    await fc.assert(
      fc.asyncProperty(password, async (text) => {
        const secret = `pw${encodeURIComponent(text)}`;
        const message = await withChanges({
          environments: { local: { apiUrl: `postgres://user:${secret}@host:5432/db` } },
        });
        expect(message).toContain('environments.local.apiUrl: ');
        expect(message).toContain('holds a password. Give it as { env: "NAME" } or { file: "path" }');
        expect(message).not.toContain(secret);
      }),
      { numRuns: 30 },
    );
  });

  it.each(['https://elastic:x@host:9200', 'postgres://host/db?password=x', 'postgres://us er:x@host/db'])(
    'are recognised in %s',
    (url) => {
      expect(holdsPassword(url)).toBe(true);
    },
  );

  it.each(['https://host:9200', 'postgres://user@host/db', 'terms.txt', 'C:\\terms'])(
    'are not seen in %s',
    (url) => {
      expect(holdsPassword(url)).toBe(false);
    },
  );
});

describe('where environments point', () => {
  const urls = {
    FRESHET_CATALOG_URL: 'postgres://reader:secret@db:5432/catalog',
    FRESHET_STAGING_API_URL: 'postgres://staging:secret@db:5432/api',
    FRESHET_PRODUCTION_API_URL: 'postgres://production:secret@db/api',
    FRESHET_STAGING_SEARCH_URL: 'http://search:9200',
    FRESHET_PRODUCTION_SEARCH_URL: 'http://SEARCH:9200',
  };

  it('two that name the same table or alias are refused, without their passwords', async () => {
    const message = await problemsOf(openverse(), urls);
    expect(message).toContain('staging and production both name the table public.image of db:5432/api');
    expect(message).toContain('staging and production both name the alias image-filtered on search:9200');
    expect(message).not.toContain('secret');
  });

  it('one whose API database is its catalog is refused', async () => {
    const message = await problemsOf(openverse(), {
      FRESHET_CATALOG_URL: 'postgres://a:secret@localhost/one',
      FRESHET_API_URL: 'postgres://b@127.0.0.1:5432/one',
    });
    expect(message).toContain('environments.local.apiUrl: names the same database (127.0.0.1:5432/one)');
    expect(message).not.toContain('secret');
  });

  it('a value that is no URL is refused without being shown', async () => {
    const message = await problemsOf(openverse(), { FRESHET_SEARCH_URL: 'my secret' });
    expect(message).toContain('environments.local.search.urls.0: the value that it refers to cannot be read');
    expect(message).not.toContain('my secret');
  });

  it('an unknown host environment is refused', async () => {
    expect(await problemsOf(openverse(), { FRESHET_HOST_ENVIRONMENT: 'prod' })).toContain(
      'FRESHET_HOST_ENVIRONMENT: must be `local` or `production`',
    );
  });
});
