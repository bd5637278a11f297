import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureJars } from '../../../src/embedded/searchJars.js';

let cache = '';
const report = () => undefined;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'freshet-jars-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

test('without Maven the error says what to install, and nothing is left in the cache', async () => {
  vi.stubEnv('PATH', '');
  vi.stubEnv('MAVEN_HOME', '');
  await expect(ensureJars('3.8.0', report, cache)).rejects.toMatchObject({
    code: 'MAVEN_MISSING',
    remedy: expect.stringContaining('Install Maven') as string,
  });
  expect(await readdir(cache)).toEqual([]);
});

test('when Maven fails the error shows what it said, and nothing half-fetched is kept', async () => {
  const bin = join(cache, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'mvn'), '#!/bin/sh\necho "no route to mirror" >&2\nexit 1\n');
  await chmod(join(bin, 'mvn'), 0o755);
  vi.stubEnv('MAVEN_HOME', cache);
  await expect(ensureJars('3.8.0', report, join(cache, 'jars'))).rejects.toMatchObject({
    code: 'MAVEN_FAILED',
    message: expect.stringContaining('no route to mirror') as string,
  });
  expect(await readdir(join(cache, 'jars'))).toEqual(['maven-3.8.0.log']);
});

test('a jar that is not the one of the lock is never started', async () => {
  await mkdir(join(cache, 'opensearch-3.8.0'));
  await writeFile(join(cache, 'opensearch-3.8.0', 'opensearch-3.8.0.jar'), 'not a jar');
  await expect(ensureJars('3.8.0', report, cache)).rejects.toMatchObject({ code: 'SEARCH_JARS_ALTERED' });
});
