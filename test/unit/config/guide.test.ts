import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildConfig, loadConfig } from '../../../src/config/load.js';
import { configSchema } from '../../../src/config/schema.js';
import { listKeys } from '../../../src/config/schemaKeys.js';

const guide = await readFile(new URL('../../../docs/guide/configuration.md', import.meta.url), 'utf8');
const rows = guide.split('\n').flatMap((line) => {
  const cells = /^\| `([^`]+)`\s*\|([^|]*)\|([^|]*)\|/.exec(line);
  const [, key = '', , standard = ''] = cells ?? [];
  return cells === null || key.startsWith('FRESHET_') ? [] : [{ key, standard: standard.trim() }];
});
/** How a secret is given is explained once. */
const ownKeys = listKeys(configSchema).filter((key) => !/\.(env|file)$|Url\.(env|file)$/.test(key));

describe('the guide to the configuration', () => {
  it('has every key of the schema and no other', () => {
    expect(rows.map(({ key }) => key).sort()).toEqual([...new Set(ownKeys)].sort());
  });

  it.each(
    [...guide.matchAll(/```(ts|yaml)\n([\s\S]*?)```/g)].map(([, format = '', text = '']) => [format, text]),
  )('gives examples that load (%s)', async (format, text) => {
    const folder = await mkdtemp(join(tmpdir(), 'freshet-guide-'));
    await writeFile(join(folder, `freshet.config.${format}`), text);
    const { environments } = await loadConfig({ cwd: folder, env: {} });
    expect(environments['production']).toBeDefined();
    await rm(folder, { recursive: true });
  });

  it('names as required exactly the keys that are', async () => {
    const required = [
      'upstream',
      'downstream',
      'alias',
      'filteredAlias',
      'mappings',
      'version',
      'columns',
      'build',
      'main',
      'index',
      'document',
      'from',
      'to',
    ];
    const input = {
      environments: { local: { sensitiveTerms: {}, promotion: { windows: [{}] } } },
      media: { a: { main: {}, index: {}, document: {} }, b: {} },
    };
    const error: unknown = await buildConfig(input, { env: {}, file: null, folder: '/' }).catch(
      (thrown: unknown) => thrown,
    );
    const missing = (error as { details: { paths: string[] } }).details.paths.map((path) =>
      path.split('.').at(-1),
    );
    expect(new Set(missing)).toEqual(new Set(required));
    const documented = rows
      .filter(({ standard }) => standard === 'required')
      .map(({ key }) => key.split('.').at(-1) ?? '');
    expect(new Set(documented)).toEqual(new Set([...required, 'environments', 'media']));
  });

  it.each([
    ['environments.<name>.workers', 1],
    ['environments.<name>.search.reindexDocsPerSecond', 20_000],
    ['environments.<name>.search.refreshInterval', '1s'],
    ['environments.<name>.gate.sourceLossShareMax', 0.2],
    ['environments.<name>.gate.totalLossShareMax', 0.1],
    ['environments.<name>.gate.sampleRows', 10_000],
    ['environments.<name>.gate.rejectsMax', 0],
    ['environments.<name>.gate.orphansMax', 1_000],
    ['environments.<name>.gate.allowEmpty', false],
    ['environments.<name>.keepPreviousUntil', 'next promotion'],
    ['environments.<name>.keepFailedHours', 24],
  ])('says the default of %s as it is', (key, standard) => {
    const { environments } = configSchema.parse({ environments: { one: {} }, media: {} });
    const found = key
      .split('.')
      .slice(2)
      .reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], environments['one']);
    expect(found).toBe(standard);
    const written = rows
      .find((row) => row.key === key)
      ?.standard.replace(/ \(preset.*/, '')
      .replaceAll(/[,`]/g, '');
    expect(written).toBe(String(standard));
  });
});
