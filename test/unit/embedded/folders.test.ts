import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identifyProcess, isAlive } from '../../../src/embedded/processes.js';
import { compareJars } from '../../../src/embedded/searchJars.js';
import { canReach, parseUsers } from '../../../src/embedded/serverUser.js';

test('users are read from a passwd file; lines without a numeric id are not users', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n+::::::\n\n';
  expect(parseUsers(passwd)).toEqual([
    { name: 'root', uid: 0, gid: 0 },
    { name: 'nobody', uid: 65_534, gid: 65_534 },
  ]);
});

test('a file is reachable for another user only when every folder above it lets that user in', async () => {
  const stranger = { name: 'stranger', uid: 54_321, gid: 54_321 };
  const folder = await mkdtemp(join(tmpdir(), 'freshet-reach-'));
  const file = join(folder, 'file');
  await writeFile(file, '', { mode: 0o644 });
  await chmod(folder, 0o755);
  expect(await canReach(file, stranger)).toBe(true);
  await chmod(folder, 0o700);
  expect(await canReach(file, stranger)).toBe(false);
  expect(await canReach(file, null)).toBe(true);
  await chmod(folder, 0o755);
  await chmod(file, 0o600);
  expect(await canReach(file, stranger)).toBe(false);
  await rm(folder, { recursive: true });
});

test('a pid that another process has now is not the process that was recorded', async () => {
  const self = await identifyProcess(process.pid);
  expect(await isAlive(self)).toBe(true);
  if (self.startedAt !== null) expect(await isAlive({ ...self, startedAt: '1' })).toBe(false);
  expect(await isAlive({ pid: 2 ** 22 + 1, startedAt: null })).toBe(false);
});

test('jars that are missing, additional or altered are named', () => {
  expect(compareJars({ a: '1', b: '2', c: '3' }, { a: '1', b: 'x', d: '4' })).toEqual(['b', 'c', 'd']);
  expect(compareJars({ a: '1' }, { a: '1' })).toEqual([]);
});
