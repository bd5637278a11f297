import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.js';
import { resolveEnvironment, resolveEnvironment as resolve } from '../../../src/config/resolve.js';
import * as published from '../../../src/index.js';
import * as given from '../../../src/config/publicApi.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, text: string) => writeFile(join(folder, name), text);
const load = (env: Record<string, string> = {}, file?: string) => loadConfig({ cwd: folder, env, file });

describe('loading a configuration', () => {
  it('without a file gives the built-in preset', async () => {
    const config = await load();
    expect(config.file).toBeNull();
    expect(Object.keys(config.environments)).toEqual(['local', 'staging', 'production']);
    expect(config.embeddedFolder).toBe(join(folder, '.freshet'));
  });

  it.each([
    [
      'freshet.config.ts',
      `import { defineConfig, openverse, type ConfigInput } from 'freshet';
       const input: ConfigInput = openverse({ environments: { local: { workers: 3 } } });
       export default defineConfig(input);`,
    ],
    [
      'freshet.config.js',
      `import { defineConfig, openverse } from 'freshet';
       const { media, environments } = openverse();
       export default defineConfig({ media, environments: { ...environments, local: { ...environments.local, workers: 3 } } });`,
    ],
    [
      'freshet.config.mjs',
      `export default { preset: 'openverse', environments: { local: { workers: 3 } } };`,
    ],
    ['freshet.config.json', `{ "preset": "openverse", "environments": { "local": { "workers": 3 } } }`],
    ['freshet.config.yaml', `preset: openverse\nenvironments:\n  local:\n    workers: 3\n`],
    ['freshet.config.yml', `preset: openverse\nenvironments: { local: { workers: 3 } }\n`],
  ])('reads %s', async (name, text) => {
    await write(name, text);
    const config = await load();
    expect(config.file).toBe(join(folder, name));
    expect(config.environments['local']?.workers).toBe(3);
    expect(config.media['image']?.main.downstream).toBe('image');
  });

  it('takes a file by name, and refuses one that is missing', async () => {
    await write('other.json', '{ "preset": "openverse" }');
    expect((await load({}, 'other.json')).file).toBe(join(folder, 'other.json'));
    await expect(load({}, 'missing.json')).rejects.toThrow(
      /missing\.json is not valid:\n {2}the file does not exist/,
    );
    await write('config.toml', '');
    await expect(load({}, 'config.toml')).rejects.toThrow('its name must end in .ts, .js');
  });

  it('refuses two configurations side by side', async () => {
    await write('freshet.config.json', '{}');
    await write('freshet.config.yaml', '');
    await expect(load()).rejects.toThrow('there are several configurations');
  });

  it.each([
    ['freshet.config.json', '{ "preset": '],
    ['freshet.config.yaml', 'a: 1\na: 2'],
    ['freshet.config.yaml', 'a: [1'],
    ['freshet.config.ts', 'export default {'],
    ['freshet.config.ts', 'export const config = {};'],
    ['freshet.config.ts', `import { openverse } from './missing.js'; export default openverse();`],
    ['freshet.config.ts', `throw new Error('no'); export default {};`],
    ['freshet.config.yaml', ''],
    ['freshet.config.json', '[]'],
    ['freshet.config.json', '{ "preset": "openvrse" }'],
  ])('names the broken file %s (%j)', async (name, text) => {
    await write(name, text);
    await expect(load()).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      policy: 'usage',
      details: { file: join(folder, name) },
    });
  });

  it('reads a secret from a file beside the configuration', async () => {
    await write('api-url', ' postgres://u:p@h:5432/d\n');
    await write(
      'freshet.config.json',
      JSON.stringify({ preset: 'openverse', environments: { local: { apiUrl: { file: 'api-url' } } } }),
    );
    const config = await load();
    const embedded = { catalogUrl: 'c', apiUrl: 'a', stateUrl: 's', searchUrl: 'e' };
    expect((await resolveEnvironment(config, 'local', {}, embedded)).apiUrl).toBe('postgres://u:p@h:5432/d');
    await rm(join(folder, 'api-url'));
    await expect(resolve(config, 'local', {}, embedded)).rejects.toThrow(
      'environments.local.apiUrl: the file cannot be read',
    );
  });

  it('gives a configuration file what the package exports', () => {
    expect(Object.keys(given).sort()).toEqual(Object.keys(published).sort());
  });
});
