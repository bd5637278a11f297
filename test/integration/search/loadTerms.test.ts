import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTerms } from '../../../src/search/terms.js';
import { refusedWith } from './engine.js';

let folder = '';
let server: Server;
let url = '';
let authorization: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-terms-'));
  server = createServer((request, answer) => {
    authorization = request.headers.authorization;
    const path = request.url ?? '/';
    if (path.startsWith('/terms'))
      answer.setHeader('content-type', 'text/plain').end('\uFEFFone\r\ntwo words\r\n');
    else if (path.startsWith('/moved')) answer.writeHead(302, { location: '/terms' }).end();
    else if (path.startsWith('/page'))
      answer.setHeader('content-type', 'text/html; charset=utf-8').end('sign in');
    else if (path.startsWith('/large')) answer.end(Buffer.alloc(33 * 1024 * 1024, 'a\n'));
    else if (path.startsWith('/broken')) answer.destroy();
    else if (path.startsWith('/empty')) answer.end('\n\n');
    else if (!path.startsWith('/stalled')) answer.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true });
});

describe('loading sensitive terms', () => {
  it('reads a file', async () => {
    const from = join(folder, 'terms.txt');
    await writeFile(from, 'one\ntwo words\n');
    expect([...(await loadTerms({ from, allowEmpty: false }))]).toEqual(['one', 'two words']);
  });

  it('reads a URL, also a redirected one', async () => {
    for (const path of ['/terms', '/moved']) {
      expect([...(await loadTerms({ from: url + path, allowEmpty: false }))]).toEqual(['one', 'two words']);
    }
  });

  it('sends user and password of the URL, and shows neither, nor its query', async () => {
    const from = `${url.replace('//', '//user:p%40ss@')}/nowhere?token=hunter2`;
    const error: unknown = await loadTerms({ from, allowEmpty: false }).catch((thrown: unknown) => thrown);
    expect(authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
    expect(error).toMatchObject({
      code: 'TERMS_UNUSABLE',
      message: expect.stringContaining('HTTP 404') as string,
    });
    expect((error as Error).message).not.toMatch(/p%40ss|p@ss|hunter2/);
  });

  it.each(['/page', '/large', '/broken', '/empty', '/nowhere'])('refuses %s', async (path) => {
    await expect(loadTerms({ from: url + path, allowEmpty: false })).rejects.toEqual(
      refusedWith('TERMS_UNUSABLE'),
    );
  });

  it('refuses a missing file, a folder and an unreachable URL', async () => {
    for (const from of [join(folder, 'none'), folder, 'http://127.0.0.1:1/terms', 'http://']) {
      await expect(loadTerms({ from, allowEmpty: true })).rejects.toEqual(refusedWith('TERMS_UNUSABLE'));
    }
  });

  it('takes an empty list only where that is allowed', async () => {
    expect((await loadTerms({ from: `${url}/empty`, allowEmpty: true })).count).toBe(0);
  });

  it('stops when the caller gives up', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const loading = loadTerms({ from: `${url}/stalled`, allowEmpty: false, signal: controller.signal });
    controller.abort(reason);
    await expect(loading).rejects.toBe(reason);
  });
});
