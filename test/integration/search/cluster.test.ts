import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { callEngine } from '../../../src/search/call.js';
import { describeCluster, openSearchClient } from '../../../src/search/client.js';
import { recogniseEngine } from '../../../src/search/engineDifferences.js';
import { refusedWith, useEngine } from './engine.js';

let server: Server | undefined;

/** A server that is no search engine, for faults of the network. */
async function serve(listener: RequestListener): Promise<string> {
  const opened = createServer(listener);
  server = opened;
  await new Promise<void>((done) => opened.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(opened.address() as AddressInfo).port}`;
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((done) => (server === undefined ? done(null) : server.close(done)));
  server = undefined;
});

describe('the search cluster', () => {
  const engine = useEngine();

  it('is described with its kind, version, nodes and health', async () => {
    const cluster = await describeCluster(engine.client);
    expect(cluster).toMatchObject({ engine: 'opensearch', nodes: 1, dataNodes: 1 });
    expect(cluster.version).toMatch(/^[23]\.\d+\.\d+$/);
    expect(['green', 'yellow', 'red']).toContain(cluster.health);
  });

  it('that does not run is an error that says where, and shows no password', async () => {
    const client = openSearchClient(['http://someone:hunter2@127.0.0.1:1']);
    const error: unknown = await describeCluster(client).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SEARCH_UNREACHABLE' });
    expect((error as Error).message).toContain('127.0.0.1:1');
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('hunter2');
  });

  it('that asks for a password is an error of permission', async () => {
    const url = await serve((_request, answer) => answer.writeHead(401).end());
    await expect(describeCluster(openSearchClient([url]))).rejects.toEqual(refusedWith('SEARCH_FORBIDDEN'));
  });

  it('that is something else is refused', async () => {
    const url = await serve((_request, answer) =>
      answer.setHeader('content-type', 'text/html').end('<html>'),
    );
    await expect(describeCluster(openSearchClient([url]))).rejects.toEqual(
      refusedWith('SEARCH_VERSION_UNSUPPORTED'),
    );
  });

  it('that begins an answer and stalls is given up at the limit', async () => {
    const url = await serve((_request, answer) => {
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.write('{"version"');
    });
    await expect(describeCluster(openSearchClient([url]), 200)).rejects.toEqual(
      refusedWith('SEARCH_TIMEOUT'),
    );
  });

  it('gets a write once, even when the connection breaks before its answer', async () => {
    let requests = 0;
    const url = await serve((request) => {
      requests += 1;
      request.socket.destroy();
    });
    const client = openSearchClient([url]);
    const write = { method: 'POST', path: ['a', '_doc'], body: { a: 1 }, what: 'writing' } as const;
    await expect(callEngine(client, write)).rejects.toEqual(refusedWith('SEARCH_UNREACHABLE'));
    expect(requests).toBe(1);
  });

  it('gets a read again after a passing fault', async () => {
    let requests = 0;
    const url = await serve((_request, answer) => {
      requests += 1;
      if (requests < 3) answer.writeHead(requests === 1 ? 503 : 429).end();
      else answer.setHeader('content-type', 'application/json').end('{"fine":true}');
    });
    const read = { method: 'GET', path: ['a'], what: 'reading', repeatable: true } as const;
    expect((await callEngine(openSearchClient([url]), read)).body).toEqual({ fine: true });
  });

  it('is not waited for when the caller gives up', async () => {
    const url = await serve(() => undefined);
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const call = callEngine(openSearchClient([url]), {
      method: 'GET',
      path: ['a'],
      what: 'x',
      repeatable: true,
      signal: controller.signal,
    });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('whose disks are full is an error of space', async () => {
    const index = await engine.create(engine.name('full'));
    const block = (on: boolean | null): Promise<unknown> =>
      callEngine(engine.client, {
        method: 'PUT',
        path: [index, '_settings'],
        body: { 'index.blocks.read_only_allow_delete': on },
        what: 'block',
      });
    await block(true);
    const write = callEngine(engine.client, {
      method: 'PUT',
      path: [index, '_doc', '1'],
      body: { id: 1 },
      what: 'writing',
    });
    await expect(write).rejects.toEqual(refusedWith('SEARCH_NO_SPACE'));
    await expect(engine.fill(index, [{ id: 1 }])).rejects.toEqual(refusedWith('SEARCH_NO_SPACE'));
    await block(null);
  });

  it('has its password sent, from the URL', async () => {
    let header: string | undefined;
    const url = await serve((request, answer) => {
      header = request.headers.authorization;
      answer.writeHead(403).end();
    });
    await expect(describeCluster(openSearchClient([url.replace('//', '//user:p%40ss@')]))).rejects.toThrow(
      /403/,
    );
    expect(Buffer.from(header?.replace('Basic ', '') ?? '', 'base64').toString()).toBe('user:p@ss');
    expect(inject('parts').searchUrl).not.toContain('@');
  });
});

describe('versions', () => {
  it.each<[string, object, object]>([
    [
      'OpenSearch 2',
      { version: { distribution: 'opensearch', number: '2.19.6' } },
      { engine: 'opensearch', version: '2.19.6' },
    ],
    [
      'OpenSearch 3',
      { version: { distribution: 'opensearch', number: '3.8.0' } },
      { engine: 'opensearch', version: '3.8.0' },
    ],
    [
      'Elasticsearch 8',
      { version: { number: '8.19.8' }, tagline: 'You Know, for Search' },
      { engine: 'elasticsearch', version: '8.19.8' },
    ],
    [
      'Elasticsearch 9',
      { version: { number: '9.4.3' }, tagline: 'You Know, for Search' },
      { engine: 'elasticsearch', version: '9.4.3' },
    ],
  ])('%s is supported', (_name, answer, expected) => {
    expect(recogniseEngine(answer)).toEqual(expected);
  });

  it.each<[string, unknown]>([
    ['Elasticsearch 7', { version: { number: '7.17.0' }, tagline: 'You Know, for Search' }],
    ['OpenSearch 1', { version: { distribution: 'opensearch', number: '1.3.0' } }],
    ['another distribution', { version: { distribution: 'other', number: '3.0.0' } }],
    ['a text', 'hello'],
    ['nothing', null],
  ])('%s is refused', (_name, answer) => {
    expect(() => recogniseEngine(answer)).toThrow(
      expect.objectContaining({ code: 'SEARCH_VERSION_UNSUPPORTED' }),
    );
  });
});
