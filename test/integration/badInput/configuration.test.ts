import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { expectError } from './untouched.js';

describe('a configuration that cannot be used: all that is wrong is said, and nothing is started', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'), { tables: false });
  });
  afterAll(() => local.drop());
  afterEach(async () => {
    const { rows } = await local.withState((session) =>
      session.query(`select from pg_namespace where nspname in ('freshet', 'dbos')`),
    );
    expect(rows).toHaveLength(0);
  });

  it.each([
    [{ environments: { local: { workers: 1_000_000 } } }, /environments\.local\.workers: .*from 1 to 100\b/],
    [
      { environments: { local: { gate: { sampleRows: 1e15 } } } },
      /environments\.local\.gate\.sampleRows: .*1000000/,
    ],
    [
      { environments: { local: { media: { image: { shards: 0 } } } } },
      /environments\.local\.media\.image\.shards: .*from 1 to 1024/,
    ],
    [
      { environments: { local: { gate: { sourceLossShareMax: 20 } } } },
      /sourceLossShareMax: must be a share of 1/,
    ],
    [
      { environments: { local: { search: { replicas: -1 } } } },
      /environments\.local\.search\.replicas: .*from 0 to 20/,
    ],
  ])('the configured limit %j is refused with its key and range', async (overrides, says) => {
    await local.writeConfig(overrides);
    try {
      const outcome = await local.run(['refresh', 'local', 'image']);
      expectError(outcome, { status: 64, code: 'CONFIGURATION_INVALID', says });
    } finally {
      await local.writeConfig({});
    }
  });

  const typo = `environments: { local: { wrokers: 2 } }`;
  const publicApi = new URL('../../../dist/index.js', import.meta.url).href;
  it.each([
    ['json', `{ "preset": "openverse", "environments": { "local": { "wrokers": 2 } } }`],
    ['yaml', `preset: openverse\nenvironments:\n  local:\n    wrokers: 2\n`],
    ['yml', `preset: openverse\nenvironments:\n  local:\n    wrokers: 2\n`],
    ['mjs', `import { openverse } from '${publicApi}';\nexport default openverse({ ${typo} });\n`],
    ['js', `import { openverse } from '${publicApi}';\nexport default openverse({ ${typo} });\n`],
    [
      'ts',
      `import { openverse } from '${publicApi}';\nconst workers: number = 2;\nexport default openverse({ environments: { local: { wrokers: workers } } } as never);\n`,
    ],
  ])(
    'a typo in a .%s file is an error with file, key and what was probably meant',
    async (extension, text) => {
      const folder = join(local.folder, extension);
      await mkdir(folder, { recursive: true });
      const file = join(folder, `freshet.config.${extension}`);
      await writeFile(file, text);
      const outcome = await local.run(['refresh', 'local', 'image', '--config', file]);
      expectError(outcome, {
        status: 64,
        code: 'CONFIGURATION_INVALID',
        says: new RegExp(
          `${file} is not valid:\\n  environments\\.local\\.wrokers: unknown key\\. Did you mean "workers"\\?`,
        ),
      });
    },
  );

  it.each([
    ['json', '{ "preset": ', /cannot be read/],
    ['yaml', 'preset: [openverse\n', /cannot be read: .*line \d+/],
    ['ts', 'export default {', /cannot be read/],
    ['mjs', `throw new Error('own fault');`, /cannot be read: own fault/],
  ])(
    'a .%s file that cannot be read is an error with the file and the place',
    async (extension, text, says) => {
      const file = join(local.folder, `broken.${extension}`);
      await writeFile(file, text);
      const outcome = await local.run(['refresh', 'local', 'image', '--config', file]);
      expectError(outcome, { status: 64, code: 'CONFIGURATION_INVALID', says });
      expect(outcome.stderr).toContain(file);
    },
  );
});
