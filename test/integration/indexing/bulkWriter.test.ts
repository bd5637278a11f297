import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { BulkWriter, type BulkLimits } from '../../../src/indexing/bulkWriter.js';
import type { Reject } from '../../../src/indexing/slice.js';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';
import { uniqueName } from '../../setup/databases.js';
import { startFaultProxy, type Fault, type FaultProxy, type SeenBulk } from './faultProxy.js';

const documents = 60;
const ids = Array.from({ length: documents }, (_, i) => String(i + 1));
const quick: Partial<BulkLimits> = { bulkBytesMax: 1_000, retryFirstMs: 1, retryLongestMs: 5 };

let engine: SearchClient;
let index: string;
let proxy: FaultProxy | undefined;

beforeAll(() => {
  engine = openSearchClient([inject('parts').searchUrl]);
});
afterAll(() => engine.close());
beforeEach(async () => {
  index = uniqueName('bulk');
  const settings = { number_of_shards: 1, number_of_replicas: 0, refresh_interval: '-1' };
  const properties = { id: { type: 'long' }, rank: { type: 'rank_feature' } } as const;
  await engine.indices.create({ index, body: { settings, mappings: { dynamic: false, properties } } });
});
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
  await engine.indices.delete({ index }, { ignore: [404] });
});

interface Outcome {
  readonly error: unknown;
  readonly indexed: number;
  readonly rejects: readonly Reject[];
}

/** Writes the documents through a proxy that behaves as `decide` says. */
async function write(
  decide: (bulk: SeenBulk, number: number) => Fault,
  options: {
    limits?: Partial<BulkLimits>;
    rejectsMax?: number;
    requireAlias?: boolean;
    sourceOf?: (id: string) => unknown;
    signal?: AbortSignal;
  } = {},
): Promise<Outcome> {
  proxy = await startFaultProxy(inject('parts').searchUrl, decide);
  const client = openSearchClient([proxy.url]);
  const rejects: Reject[] = [];
  const writer = new BulkWriter({
    client,
    name: index,
    requireAlias: options.requireAlias ?? false,
    rejectsMax: options.rejectsMax ?? 0,
    onReject: (reject) => rejects.push(reject),
    signal: options.signal ?? new AbortController().signal,
    limits: { ...quick, ...options.limits },
  });
  let error: unknown = null;
  try {
    for (const id of ids) {
      await writer.add(
        id,
        JSON.stringify(options.sourceOf?.(id) ?? { id: Number(id), text: 'é'.repeat(20) }),
      );
    }
    await writer.close();
  } catch (thrown) {
    error = thrown;
  }
  await client.close();
  return { error, indexed: writer.indexed, rejects };
}

async function countIndexed(): Promise<number> {
  await engine.indices.refresh({ index });
  return (await engine.count({ index })).body.count;
}

const allDone = { error: null, indexed: documents, rejects: [] };

describe('the bulk writer', () => {
  test('keeps bodies within their limit and several requests under way', async () => {
    expect(await write(() => 'pass')).toEqual(allDone);
    expect(await countIndexed()).toBe(documents);
    expect(Math.max(...(proxy?.seen ?? []).map(({ bytes }) => bytes))).toBeLessThanOrEqual(1_000);
    expect(proxy?.inFlightMost()).toBeGreaterThan(1);
    expect(proxy?.inFlightMost()).toBeLessThanOrEqual(3);
  });

  test('D6: sends again only the documents that were refused for want of room', async () => {
    const refused = ['3', '17', '18', '60'];
    const tries = new Map<string, number>();
    const outcome = await write((bulk) => {
      for (const id of bulk.ids) tries.set(id, (tries.get(id) ?? 0) + 1);
      const again = bulk.ids.filter((id) => refused.includes(id) && (tries.get(id) ?? 0) < 4);
      return again.length > 0 ? { refuseIds: again, status: 429 } : 'pass';
    });
    expect(outcome).toEqual(allDone);
    expect(await countIndexed()).toBe(documents);
    for (const id of ids) expect([id, tries.get(id)]).toEqual([id, refused.includes(id) ? 4 : 1]);
  });

  test.each([429, 502, 503, 500])('D4: sends the whole request again after status %i', async (status) => {
    expect(await write((_, number) => (number % 2 === 1 ? { status } : 'pass'))).toEqual(allDone);
    expect(await countIndexed()).toBe(documents);
  });

  test('D4: sends again what was written but whose answer was lost, and counts it once', async () => {
    expect(await write((_, number) => (number % 3 === 0 ? 'loseAnswer' : 'pass'))).toEqual(allDone);
    expect(await countIndexed()).toBe(documents);
  });

  test('halves a request that is too large, and keeps later ones smaller', async () => {
    const outcome = await write((bulk) => (bulk.bytes > 400 ? { status: 413 } : 'pass'));
    expect(outcome).toEqual(allDone);
    expect(await countIndexed()).toBe(documents);
    expect(proxy?.seen.at(-1)?.bytes).toBeLessThanOrEqual(500);
  });

  test('a document that is too large by itself is a reject, and all others are written', async () => {
    const sourceOf = (id: string): unknown => ({ id: Number(id), text: id === '9' ? 'x'.repeat(2_000) : '' });
    const decide = (bulk: SeenBulk): Fault => (bulk.bytes > 1_500 ? { status: 413 } : 'pass');
    const outcome = await write(decide, { sourceOf, rejectsMax: 1 });
    expect(outcome).toMatchObject({ error: null, indexed: documents - 1 });
    expect(outcome.rejects).toEqual([{ id: '9', reason: expect.stringContaining('413') as string }]);
  });

  const sourceOf = (id: string): unknown => ({ id: Number(id), rank: Number(id) % 20 === 0 ? -1 : 1 });

  test('D5: permanent rejects are told with id and reason and are not sent again', async () => {
    const outcome = await write(() => 'pass', { sourceOf, rejectsMax: 3 });
    expect(outcome).toMatchObject({ error: null, indexed: documents - 3 });
    expect(outcome.rejects.map(({ id }) => id).sort()).toEqual(['20', '40', '60']);
    for (const { reason } of outcome.rejects) expect(reason).toMatch(/positive/);
    expect(await countIndexed()).toBe(documents - 3);
    expect(proxy?.seen.flatMap((bulk) => bulk.ids)).toHaveLength(documents);
  });

  test('D5: one reject above the limit ends the writer with an error that names it', async () => {
    const { error } = await write(() => 'pass', { sourceOf });
    expect(error).toMatchObject({ code: 'REJECTS_OVER_LIMIT' });
    expect(String(error)).toMatch(/(20|40|60) \(.*positive/);
  });

  test('D4: gives up with the number of documents when nothing goes on for the budget', async () => {
    const { error } = await write(() => ({ status: 503 }), { limits: { retryBudgetMs: 50 } });
    expect(error).toMatchObject({ code: 'BULK_RETRIES_EXCEEDED' });
    expect(String(error)).toMatch(/\d+ documents could not be written to .*503/);
  });

  test('an engine that refuses connections is tried until the budget is over', async () => {
    const gone = await startFaultProxy(inject('parts').searchUrl, () => 'pass');
    await gone.close();
    const client = openSearchClient([gone.url]);
    const writer = new BulkWriter({
      client,
      name: index,
      requireAlias: false,
      rejectsMax: 0,
      onReject: () => undefined,
      signal: new AbortController().signal,
      limits: { ...quick, retryBudgetMs: 50 },
    });
    await writer.add('1', '{}');
    await expect(writer.close()).rejects.toMatchObject({ code: 'BULK_RETRIES_EXCEEDED' });
    await client.close();
  });

  test('an alias that is none ends the writer at once and creates no index', async () => {
    const { error, indexed } = await write(() => 'pass', { requireAlias: true });
    expect(error).toMatchObject({ code: 'BULK_REFUSED', details: { target: index } });
    expect([indexed, await countIndexed()]).toEqual([0, 0]);
    expect(proxy?.seen.length).toBeLessThanOrEqual(3);
  });

  test('a block on the index ends the writer at once', async () => {
    await engine.indices.putSettings({ index, body: { 'index.blocks.write': true } });
    const { error } = await write(() => 'pass');
    expect(error).toMatchObject({ code: 'BULK_REFUSED' });
    await engine.indices.putSettings({ index, body: { 'index.blocks.write': false } });
  });

  test('a status that no repetition can change ends the writer at once', async () => {
    const { error } = await write(() => ({ status: 401 }));
    expect(error).toMatchObject({ code: 'BULK_REFUSED' });
    expect(String(error)).toContain('401');
  });

  test('an abort ends it with its reason, also while it waits to send again', async () => {
    const controller = new AbortController();
    const outcome = await write(
      (_, number) => {
        if (number === 4) controller.abort(new Error('enough'));
        return { status: 503 };
      },
      { signal: controller.signal, limits: { retryFirstMs: 5, retryLongestMs: 5 } },
    );
    expect(String(outcome.error)).toBe('Error: enough');
  });
});
