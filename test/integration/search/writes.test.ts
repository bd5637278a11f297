import { describe, expect, it } from 'vitest';
import { compareDocument, fetchDocuments } from '../../../src/search/documents.js';
import { countDocuments, readIndex, refreshIndex } from '../../../src/search/index.js';
import { findIdsByKeyword } from '../../../src/search/lookups.js';
import { deleteDocuments, indexDocuments } from '../../../src/search/writes.js';
import { refusedWith, useEngine } from './engine.js';

const engine = useEngine();
const { client } = engine;

describe('writing to a finished index', () => {
  it('replaces documents, and says how many', async () => {
    const index = await engine.create(engine.name('replace'));
    await engine.fill(index, [{ id: 1, mature: false }]);
    const documents = [1, 2].map((id) => ({ id: String(id), document: { id, mature: true } }));
    expect(await indexDocuments(client, index, documents)).toEqual({ written: 2, missing: 0 });
    expect((await fetchDocuments(client, index, ['1'])).get('1')).toEqual({ id: 1, mature: true });
  });

  it('deletes what is there and takes what is not as done', async () => {
    const index = await engine.create(engine.name('delete'));
    const ids = Array.from({ length: 2_500 }, (_, position) => position + 1);
    await engine.fill(
      index,
      ids.map((id) => ({ id })),
    );
    const deleted = [...ids.slice(0, 2_400).map(String), '9999'];
    expect(await deleteDocuments(client, index, deleted)).toEqual({ written: 2_400, missing: 1 });
    await refreshIndex(client, index);
    expect(await countDocuments(client, index)).toBe(100);
  });

  it('D5: names the document that the engine refuses, and why', async () => {
    const index = await engine.create(engine.name('refused'));
    const documents = [
      { id: '1', document: { id: 1 } },
      { id: '2', document: { id: 2, standardized_popularity: 0 } },
    ];
    const write = indexDocuments(client, index, documents);
    await expect(write).rejects.toEqual(refusedWith('SEARCH_WRITES_REFUSED'));
    await expect(indexDocuments(client, index, documents)).rejects.toThrow(/document 2: HTTP 400/);
  });

  it('to an index that is gone is an error and creates none', async () => {
    const index = engine.name('gone');
    const gone = refusedWith('INDEX_MISSING');
    await expect(indexDocuments(client, index, [{ id: '1', document: { id: 1 } }])).rejects.toEqual(gone);
    await expect(deleteDocuments(client, index, ['1'])).rejects.toEqual(gone);
    expect(await readIndex(client, index)).toBeNull();
  });
});

describe('reading documents', () => {
  it('gives each as it was sent, refreshed or not, and null for one that is missing', async () => {
    const index = await engine.create(engine.name('read'));
    const document = {
      id: 1,
      title: 'Ä "quoted" \u2028 line 𝒳',
      created_on: '2026-01-01T00:00:00.123456+02:00',
      standardized_popularity: 33.333333333333336,
      mature: false,
      tags: [{ name: 'a', accuracy: 0.9 }, { name: 'b' }],
    };
    await indexDocuments(client, index, [{ id: '1', document }]);
    const found = await fetchDocuments(client, index, ['1', '2']);
    expect(compareDocument(document, found.get('1') ?? {})).toEqual([]);
    expect(found.get('2')).toBeNull();
  });

  it('reads more than one request holds', async () => {
    const index = await engine.create(engine.name('many'));
    await engine.fill(
      index,
      Array.from({ length: 1_200 }, (_, position) => ({ id: position + 1 })),
    );
    const found = await fetchDocuments(
      client,
      index,
      Array.from({ length: 1_300 }, (_, position) => String(position + 1)),
    );
    expect([...found.values()].filter((document) => document !== null)).toHaveLength(1_200);
  });

  it('finds ids by a keyword', async () => {
    const index = await engine.create(engine.name('keyword'));
    await engine.fill(
      index,
      [1, 2, 3].map((id) => ({ id, identifier: `i${id}` })),
    );
    expect((await findIdsByKeyword(client, index, 'identifier', ['i1', 'i3', 'i9'])).sort()).toEqual([
      '1',
      '3',
    ]);
  });
});
