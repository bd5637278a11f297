import { describe, expect, it } from 'vitest';
import { audioMappings } from '../../../src/documents/openverseIndex.js';
import { callEngine } from '../../../src/search/call.js';
import {
  createIndex,
  deleteIndex,
  differencesFromDefinition,
  listMarkedIndexes,
  makeServing,
  readIndex,
  removeWriteAlias,
  type NewIndex,
} from '../../../src/search/index.js';
import { writeAlias } from '../../../src/search/names.js';
import { definition, mark, refusedWith, useEngine } from './engine.js';

const engine = useEngine();
const { client } = engine;

function wanted(name: string, changes: Partial<NewIndex> = {}): NewIndex {
  return { name, index: definition, shards: 1, mark, writeAlias: null, ...changes };
}

async function putSettings(index: string, settings: object): Promise<void> {
  await callEngine(client, { method: 'PUT', path: [index, '_settings'], body: settings, what: 'test' });
}

async function addAlias(index: string, alias: string): Promise<void> {
  await callEngine(client, { method: 'PUT', path: [index, '_alias', alias], what: 'test' });
}

describe('creating an index', () => {
  it('gives it our mark, the definition, and settings for loading', async () => {
    const name = engine.name('new');
    expect(await createIndex(client, wanted(name, { shards: 3 }))).toEqual({ created: true });
    expect((await readIndex(client, name))?.mark).toEqual(mark);
    const settings = { shards: 3, replicas: 0, refreshInterval: '-1' };
    expect(await differencesFromDefinition(client, name, definition, settings)).toEqual([]);
  });

  it('works for the audio mapping as well', async () => {
    const name = engine.name('audio');
    const index = { ...definition, mappings: audioMappings };
    await createIndex(client, wanted(name, { index }));
    expect(await differencesFromDefinition(client, name, index, { shards: 1 })).toEqual([]);
  });

  it('keeps a _meta that the definition has', async () => {
    const name = engine.name('meta');
    const index = { ...definition, mappings: { ...definition.mappings, _meta: { team: 'search' } } };
    await createIndex(client, wanted(name, { index }));
    const found = await readIndex(client, name);
    expect(found?.mappings['_meta']).toMatchObject({ team: 'search', freshet: mark });
  });

  it('twice by the same run goes on with the same index and its documents', async () => {
    const name = await engine.create(engine.name('twice'));
    await engine.fill(name, [{ id: 1 }]);
    expect(await createIndex(client, wanted(name, { writeAlias: writeAlias(name) }))).toEqual({
      created: false,
    });
    expect(Object.keys((await readIndex(client, name))?.aliases ?? {})).toEqual([writeAlias(name)]);
  });

  it('anew by the same run begins with an empty index', async () => {
    const name = await engine.create(engine.name('anew'), { shards: 2 });
    expect(await createIndex(client, wanted(name, { existing: 'replace' }))).toEqual({ created: true });
    expect(await differencesFromDefinition(client, name, definition, { shards: 1 })).toEqual([]);
  });

  it('by two processes at once makes one index', async () => {
    const name = engine.name('race');
    const made = await Promise.all([createIndex(client, wanted(name)), createIndex(client, wanted(name))]);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
  });

  it("under a name that another run, another part or somebody else's index has is refused", async () => {
    const name = await engine.create(engine.name('taken'));
    const taken = refusedWith('INDEX_NAME_TAKEN');
    const other = { ...mark, runId: 'run-2' };
    for (const existing of ['reuse', 'replace'] as const) {
      await expect(createIndex(client, wanted(name, { mark: other, existing }))).rejects.toEqual(taken);
      await expect(
        createIndex(client, wanted(name, { mark: { ...mark, role: 'filtered' }, existing })),
      ).rejects.toEqual(taken);
    }
    const foreign = engine.name('foreign');
    await callEngine(client, { method: 'PUT', path: [foreign], what: 'test' });
    await expect(createIndex(client, wanted(foreign))).rejects.toEqual(taken);
  });

  it('that exists with another definition is refused', async () => {
    const name = await engine.create(engine.name('differs'), { shards: 2 });
    await expect(createIndex(client, wanted(name))).rejects.toThrow(/number_of_shards is "2" instead of "1"/);
  });
});

describe('the definition', () => {
  it('names every point in which an index differs from it', async () => {
    const name = await engine.create(engine.name('points'));
    const index = {
      ...definition,
      analysis: { ...definition.analysis, filter: {} },
      mappings: { dynamic: true, properties: { id: { type: 'keyword' } } },
    };
    const differences = await differencesFromDefinition(client, name, index, {
      shards: 2,
      refreshInterval: '1s',
    });
    for (const point of [
      'number_of_shards',
      'refresh_interval',
      'analysis.filter.english_stop',
      'mappings.dynamic',
      'mappings.properties.id.type',
      'mappings.properties.title',
    ]) {
      expect(
        differences.some((text) => text.includes(point)),
        point,
      ).toBe(true);
    }
  });
});

describe('D39: a serving index', () => {
  it('has its replicas and refresh interval and is green; one node gets no replica', async () => {
    const name = await engine.create(engine.name('serving'));
    expect(
      await makeServing(client, name, { replicas: null, refreshInterval: '1s', timeoutMs: 30_000 }),
    ).toEqual({ replicas: 0 });
    const settings = { shards: 1, replicas: 0, refreshInterval: '1s' };
    expect(await differencesFromDefinition(client, name, definition, settings)).toEqual([]);
  });

  it('that does not become green in time is an error', async () => {
    const name = await engine.create(engine.name('yellow'));
    const serving = makeServing(client, name, { replicas: 1, refreshInterval: '1s', timeoutMs: 300 });
    await expect(serving).rejects.toEqual(refusedWith('INDEX_NOT_GREEN'));
  });

  it('that is gone is an error', async () => {
    const serving = makeServing(client, engine.name('gone'), {
      replicas: 0,
      refreshInterval: '1s',
      timeoutMs: 300,
    });
    await expect(serving).rejects.toThrow(/index_not_found/);
  });
});

describe("the alias of a run's writers", () => {
  it('lets a late write fail once it is removed, and is removed twice without harm', async () => {
    const name = engine.name('late');
    const alias = writeAlias(name);
    await createIndex(client, wanted(name, { writeAlias: alias }));
    const write = {
      method: 'PUT',
      path: [alias, '_doc', '1'],
      query: { require_alias: true },
      body: { id: 1 },
      what: 'writing',
    } as const;
    expect((await callEngine(client, write)).status).toBe(201);
    await removeWriteAlias(client, name);
    await removeWriteAlias(client, name);
    await expect(callEngine(client, write)).rejects.toThrow(/index_not_found/);
  });
});

describe('deleting an index', () => {
  it('deletes one of ours, and is done when it is gone', async () => {
    const name = await engine.create(engine.name('old'), { writeAlias: 'freshet-write-x' });
    expect(await deleteIndex(client, name)).toEqual({ deleted: true });
    expect(await deleteIndex(client, name)).toEqual({ deleted: false });
  });

  it('I6: never deletes one under a public alias', async () => {
    const name = await engine.create(engine.name('live'));
    await addAlias(name, `${engine.prefix}-public`);
    await expect(deleteIndex(client, name)).rejects.toEqual(refusedWith('INDEX_IN_USE'));
    await expect(createIndex(client, wanted(name, { existing: 'replace' }))).rejects.toEqual(
      refusedWith('INDEX_IN_USE'),
    );
    expect(await readIndex(client, name)).not.toBeNull();
  });

  it('I6: never deletes one without our mark', async () => {
    const name = engine.name('theirs');
    await callEngine(client, { method: 'PUT', path: [name], what: 'test' });
    await expect(deleteIndex(client, name)).rejects.toEqual(refusedWith('INDEX_NOT_OURS'));
  });

  it('does not reach through an alias', async () => {
    const name = await engine.create(engine.name('target'));
    await addAlias(name, `${engine.prefix}-pointer`);
    expect(await deleteIndex(client, `${engine.prefix}-pointer`)).toEqual({ deleted: false });
    expect(await readIndex(client, name)).not.toBeNull();
  });
});

describe('marked indexes', () => {
  it('are found by their mark, others are not', async () => {
    const ours = await engine.create(engine.name('listed'));
    await callEngine(client, { method: 'PUT', path: [engine.name('listed')], what: 'test' });
    await putSettings(ours, { index: { refresh_interval: '5s' } });
    const marked = await listMarkedIndexes(client, `${engine.prefix}-listed`);
    expect([...marked.keys()]).toEqual([ours]);
    expect((await listMarkedIndexes(client, `${engine.prefix}-nothing`)).size).toBe(0);
  });
});
