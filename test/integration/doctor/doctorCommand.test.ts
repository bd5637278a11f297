import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import { doctorCommand } from '../../../src/cli/doctor.js';
import type { Finding } from '../../../src/refresh/doctor.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';

const parts = inject('parts');
let catalog: TestDatabase;
let api: TestDatabase;
let printed: string;

beforeEach(async () => {
  catalog = await createDatabase(parts.catalogUrl);
  api = await createDatabase(parts.apiUrl);
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  vi.stubEnv('FRESHET_CATALOG_URL', catalog.url);
  vi.stubEnv('FRESHET_API_URL', api.url);
  vi.stubEnv('FRESHET_STATE_URL', api.url);
  vi.stubEnv('FRESHET_SEARCH_URL', parts.searchUrl);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  process.exitCode = undefined;
  await Promise.all([catalog.drop(), api.drop()]);
});

async function runJson(
  ...words: string[]
): Promise<{ ok: boolean; environments: Record<string, Finding[]> }> {
  printed = '';
  await doctorCommand().parseAsync([...words, '--json'], { from: 'user' });
  return JSON.parse(printed) as { ok: boolean; environments: Record<string, Finding[]> };
}

it('freshet doctor ends with 1 and names what is missing in empty databases', async () => {
  const { ok, environments } = await runJson();
  expect(ok).toBe(false);
  expect(process.exitCode).toBe(1);
  expect(Object.keys(environments)).toEqual(['local']);
  const messages = environments['local']?.map(({ message }) => message);
  expect(messages).toContain('There is no table public.audioset_view in the catalog.');
  expect(messages).toContain('There is no table public.image in the API database.');
});

it('freshet doctor names every variable that the environment lacks', async () => {
  const { environments } = await runJson('staging');
  expect(process.exitCode).toBe(1);
  expect(environments['staging']?.map(({ message }) => message).join()).toMatch(
    /environment staging cannot be used[\s\S]*FRESHET_STAGING_API_URL is not set[\s\S]*FRESHET_STAGING_SEARCH_URL is not set/,
  );
});

it('freshet doctor looks at every environment that has a URL, and prints them one after the other', async () => {
  vi.stubEnv('FRESHET_STAGING_API_URL', 'postgres://u:secret@127.0.0.1:1/x');
  await doctorCommand().parseAsync([], { from: 'user' });
  // A test run at a terminal asks for colours.
  expect(stripVTControlCharacters(printed)).toMatch(/local\n[\s\S]*staging\n/);
  expect(printed).not.toContain('secret');
});

it('freshet doctor of an unknown environment is an error of use', async () => {
  await expect(doctorCommand().parseAsync(['locla'], { from: 'user' })).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: 'There is no environment "locla". Did you mean "local"? There are: local, staging, production.',
  });
});
