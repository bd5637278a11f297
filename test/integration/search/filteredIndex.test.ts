import { describe, expect, it } from 'vitest';
import { callEngine } from '../../../src/search/call.js';
import { openSearchClient } from '../../../src/search/client.js';
import {
  populateFilteredIndex,
  type DocumentIdRange,
  type FilteredIndexJob,
  type FilteredIndexProgress,
} from '../../../src/search/filteredIndex.js';
import { countDocuments, readIndex, removeWriteAlias } from '../../../src/search/index.js';
import { fetchDocuments } from '../../../src/search/documents.js';
import { writeAlias } from '../../../src/search/names.js';
import { TermList } from '../../../src/search/terms.js';
import { definition, mark, refusedWith, useEngine } from './engine.js';
import { openFaultyEngine } from './faultyEngine.js';

const engine = useEngine();
const { client } = engine;

type Document = { id: number; [field: string]: unknown };

/** A filled main index, an empty filtered one, and the job between them. */
async function prepare(
  documents: readonly Document[],
  terms: readonly string[],
  changes: Partial<FilteredIndexJob> = {},
): Promise<FilteredIndexJob> {
  const main = await engine.create(engine.name('main'));
  const filtered = engine.name('filtered');
  await engine.create(filtered, { mark: { ...mark, role: 'filtered' }, writeAlias: writeAlias(filtered) });
  for (let next = 0; next < documents.length; next += 10_000)
    await engine.fill(main, documents.slice(next, next + 10_000));
  return {
    main,
    filtered,
    writeAlias: writeAlias(filtered),
    fields: definition.sensitiveTermFields,
    terms: new TermList(terms),
    docsPerSecond: 0,
    finishedRanges: [],
    onRangeFinished: () => Promise.resolve(),
    ...changes,
  };
}

async function idsIn(index: string, documents: readonly Document[]): Promise<number[]> {
  const found = await fetchDocuments(
    client,
    index,
    documents.map(({ id }) => String(id)),
  );
  return documents.filter(({ id }) => found.get(String(id)) !== null).map(({ id }) => id);
}

/** Documents with these titles, numbered from 1, of which the job takes away those that match. */
async function titlesLeft(titles: readonly string[], terms: readonly string[]): Promise<string[]> {
  const documents = titles.map((title, position) => ({ id: position + 1, title }));
  const job = await prepare(documents, terms);
  const result = await populateFilteredIndex(client, job);
  const left = await idsIn(job.filtered, documents);
  expect(result).toMatchObject({
    main: titles.length,
    filtered: left.length,
    matched: titles.length - left.length,
  });
  return left.map((id) => titles[id - 1] ?? '');
}

describe('D42: sensitive terms match by words, not by stems', () => {
  it.each<[string, string, string[], string[]]>([
    [
      'a word',
      'general',
      ['the general', 'GENERAL!', 'a general, here'],
      ['generate', 'generals', 'generally', 'generic'],
    ],
    ['an upper-case term', 'BaD', ['bad', 'Bad thing', 'BAD'], ['badly', 'ba d']],
    [
      'several words, as a phrase',
      'two words',
      ['two words', 'Two  WORDS!', 'the two words here', 'two-words'],
      ['words two', 'two other words', 'two', 'two wordss'],
    ],
    ['a hyphenated term', 'x-ray', ['an x-ray', 'X ray', 'x‐ray'], ['xray', 'ray x', 'x and ray']],
    ['a term with an apostrophe', "d'Arc", ["Jeanne d'Arc", "D'ARC"], ['d Arc', 'Arc', 'darc']],
    ['a stop word in a phrase', 'state of the art', ['State of the Art'], ['state art', 'the state of art']],
    ['Cyrillic', 'Война', ['война и мир', 'ВОЙНА'], ['войнам', 'мир']],
    ['Chinese', '暴力', ['這是暴力內容', '暴力'], ['力暴', '暴 和 力']],
    ['Arabic', 'عنف', ['مشهد عنف هنا'], ['عنفوان']],
    ['Japanese', 'テスト', ['これはテスト', 'テスト'], ['テス']],
    ['accents', 'café', ['Café noir'], ['cafe noir']],
    ['regular expression characters', 'a.*b', ['a.*b', 'a b'], ['axxb', 'ab', 'a']],
    ['query syntax', 'title:x OR *', ['Title:X or *'], ['x', 'anything', 'title']],
    ['a number', '1.5', ['version 1.5'], ['15', '1 5', '1.50']],
    ['a quote and a backslash', 'a"b\\c', ['A"b\\c', 'a b c'], ['a b', 'c']],
  ])('%s', async (_name, term, matching, others) => {
    expect(await titlesLeft([...matching, ...others], [term])).toEqual(others);
  });

  it('in title, description and tags, each alone', async () => {
    const documents = [
      { id: 1, title: 'bad' },
      { id: 2, description: 'so bad' },
      { id: 3, tags: [{ name: 'fine' }, { name: 'Bad' }] },
      { id: 4, title: 'good', creator: 'bad', category: 'bad', tags: [{ name: 'fine', provider: 'bad' }] },
    ];
    const job = await prepare(documents, ['bad']);
    expect(await populateFilteredIndex(client, job)).toEqual({
      main: 4,
      matched: 3,
      filtered: 1,
      ignoredTerms: 0,
    });
    expect(await idsIn(job.filtered, documents)).toEqual([4]);
  });

  it('never across two tags, nor from the title into the description', async () => {
    const documents = [
      { id: 1, tags: [{ name: 'two' }, { name: 'words' }] },
      { id: 2, title: 'two', description: 'words' },
      { id: 3, tags: [{ name: 'a' }, { name: 'two words' }] },
    ];
    const job = await prepare(documents, ['two words']);
    await populateFilteredIndex(client, job);
    expect(await idsIn(job.filtered, documents)).toEqual([1, 2]);
  });

  it('a term without any word matches nothing and is counted; other terms beside it still match', async () => {
    const documents = [
      { id: 1, title: '!!! ---' },
      { id: 2, title: 'bad' },
    ];
    const job = await prepare(documents, ['!!!', 'bad', '---', '☃']);
    expect(await populateFilteredIndex(client, job)).toMatchObject({
      matched: 1,
      filtered: 1,
      ignoredTerms: 2,
    });
  });

  it('without terms the filtered index is the main one', async () => {
    const job = await prepare(
      [
        { id: 1, title: 'a' },
        { id: 2, title: 'b' },
      ],
      [],
    );
    expect(await populateFilteredIndex(client, job)).toEqual({
      main: 2,
      matched: 0,
      filtered: 2,
      ignoredTerms: 0,
    });
  });

  it('an empty main index gives an empty filtered one', async () => {
    const job = await prepare([], ['bad']);
    expect(await populateFilteredIndex(client, job)).toEqual({
      main: 0,
      matched: 0,
      filtered: 0,
      ignoredTerms: 0,
    });
  });

  it('100,000 terms, words and phrases, of which each matches its document only', async () => {
    const documents = Array.from({ length: 1_000 }, (_, position) => {
      const id = position + 1;
      return { id, title: id % 2 === 0 ? `word${id * 90}` : `phrase number${id} of many words` };
    });
    const words = Array.from({ length: 97_000 }, (_, position) => `Word${position}`);
    const phrases = Array.from({ length: 3_000 }, (_, position) => `phrase number${position * 5} of`);
    const job = await prepare(documents, [...words, ...phrases]);
    const progress: FilteredIndexProgress[] = [];
    const result = await populateFilteredIndex(client, { ...job, onProgress: (step) => progress.push(step) });
    expect(result).toEqual({ main: 1_000, matched: 500 + 100, filtered: 400, ignoredTerms: 0 });
    expect(progress).toContainEqual({ part: 'search', terms: 100_000, termsTotal: 100_000 });
    expect(progress.at(-1)).toEqual({ part: 'copy', documents: 400, documentsTotal: 400 });
  });

  it('300 phrases of ten words in three fields stay below the clause limit of the engine', async () => {
    const phrases = Array.from({ length: 300 }, (_, position) => `a b c d e f g h i number${position}`);
    const job = await prepare(
      [
        { id: 1, title: 'a b c d e f g h i number7' },
        { id: 2, title: 'a b c' },
      ],
      phrases,
    );
    expect(await populateFilteredIndex(client, job)).toMatchObject({ matched: 1, filtered: 1 });
  });

  it('finds more matches than one page of hits holds', async () => {
    const documents = Array.from({ length: 25_000 }, (_, position) => {
      return { id: position * 3 + 1, title: position % 25 === 0 ? 'fine' : 'bad' };
    });
    const job = await prepare(documents, ['bad', 'other']);
    expect(await populateFilteredIndex(client, job)).toMatchObject({
      main: 25_000,
      matched: 24_000,
      filtered: 1_000,
    });
  });
});

const thousand = Array.from({ length: 1_000 }, (_, position) => ({ id: position + 1, title: 'fine' }));

describe('populating the filtered index', () => {
  it('copies documents as they are', async () => {
    const document = {
      id: 7,
      title: 'Ä',
      tags: [{ name: 'x', accuracy: 0.9 }],
      max_boost: 12.5,
      mature: false,
    };
    const job = await prepare([document], ['bad']);
    await populateFilteredIndex(client, job);
    expect((await fetchDocuments(client, job.filtered, ['7'])).get('7')).toEqual(document);
  });

  it('goes on after the ranges that an earlier try finished, and tells each range', async () => {
    const ids = [1, 2, 150_000, 150_001, 299_999, 300_000];
    const told: DocumentIdRange[] = [];
    const job = await prepare(
      ids.map((id) => ({ id, title: 'fine' })),
      ['bad'],
      {
        finishedRanges: [{ startId: 100_000, endId: 200_000 }],
        onRangeFinished: (range) => Promise.resolve(void told.push(range)),
      },
    );
    expect(await populateFilteredIndex(client, job)).toMatchObject({ main: 6, matched: 0, filtered: 4 });
    const order = told.sort((a, b) => a.startId - b.startId);
    expect([order[0]?.startId, order.at(-1)?.endId]).toEqual([1, 300_000]);
    expect(order.some(({ startId, endId }) => startId <= 200_000 && endId >= 100_000)).toBe(false);
  });

  it('twice gives the same', async () => {
    const job = await prepare(
      thousand.map((document) => ({ ...document, title: document.id % 4 === 0 ? 'bad' : 'fine' })),
      ['bad'],
    );
    const first = await populateFilteredIndex(client, job);
    expect(await populateFilteredIndex(client, job)).toEqual(first);
    expect(first.filtered).toBe(750);
  });

  it('stops at a failure of recording a finished range', async () => {
    const failure = new Error('state is gone');
    const job = await prepare(thousand, [], { onRangeFinished: () => Promise.reject(failure) });
    await expect(populateFilteredIndex(client, job)).rejects.toBe(failure);
  });

  it('into an index that is missing is refused and creates none', async () => {
    const job = await prepare(thousand, []);
    const missing = { ...job, filtered: engine.name('missing'), writeAlias: null };
    await expect(populateFilteredIndex(client, missing)).rejects.toEqual(refusedWith('INDEX_MISSING'));
  });

  it('over a field without a raw sub-field is refused', async () => {
    const job = await prepare(thousand, ['bad'], { fields: ['title', 'creator'] });
    await expect(populateFilteredIndex(client, job)).rejects.toThrow(/creator .* has no sub-field raw/);
  });
});

interface Tasks {
  readonly nodes: Readonly<
    Record<string, { readonly tasks: Readonly<Record<string, { readonly description: string }>> }>
  >;
}

async function tasksInto(job: FilteredIndexJob): Promise<string[]> {
  const { body } = await callEngine<Tasks>(client, {
    method: 'GET',
    path: ['_tasks'],
    query: { actions: '*reindex', detailed: true },
    what: 'test',
  });
  const tasks = Object.values(body.nodes).flatMap(({ tasks }) => Object.entries(tasks));
  return tasks.flatMap(([id, { description }]) =>
    description.includes(job.writeAlias ?? job.filtered) ? [id] : [],
  );
}

/** A task as another orchestrator would have begun it. */
async function beginSlowTask(job: FilteredIndexJob): Promise<void> {
  await callEngine(client, {
    method: 'POST',
    path: ['_reindex'],
    query: { wait_for_completion: false, requests_per_second: 1, require_alias: true },
    body: { source: { index: job.main, size: 10 }, dest: { index: job.writeAlias } },
    what: 'test',
  });
}

/** Waits until the engine works on the job: a job of 2 documents a second takes minutes. */
async function runningTask(job: FilteredIndexJob): Promise<string> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    const task = (await tasksInto(job))[0];
    if (task !== undefined && (await countWritten(job)) > 0) return task;
  }
  throw new Error('the job did not begin');
}

async function countWritten(job: FilteredIndexJob): Promise<number> {
  await callEngine(client, { method: 'POST', path: [job.filtered, '_refresh'], what: 'test' });
  return countDocuments(client, job.filtered);
}

const slow = { docsPerSecond: 20 };

describe('D41: faults of the reindex', () => {
  it('a document that the filtered index refuses fails it, with its id and the reason', async () => {
    const job = await prepare(
      [
        { id: 1, title: 'x' },
        { id: 2, title: 'y' },
      ],
      ['bad'],
    );
    const strict = engine.name('strict');
    const mappings = { dynamic: 'strict', properties: { id: { type: 'long' } } };
    await callEngine(client, { method: 'PUT', path: [strict], body: { mappings }, what: 'test' });
    const into = { ...job, filtered: strict, writeAlias: null };
    await expect(populateFilteredIndex(client, into)).rejects.toThrow(
      /for document 1: strict_dynamic_mapping_exception/,
    );
  });

  it('a task that somebody cancels fails it', async () => {
    const job = await prepare(thousand, [], slow);
    const populating = populateFilteredIndex(client, job);
    populating.catch(() => undefined);
    const task = await runningTask(job);
    await callEngine(client, { method: 'POST', path: ['_tasks', task, '_cancel'], what: 'test' });
    await expect(populating).rejects.toThrow(/cancel/i);
  });

  it('no task can begin any more when the write alias was taken away', async () => {
    const job = await prepare(thousand, []);
    await removeWriteAlias(client, job.filtered);
    await expect(populateFilteredIndex(client, job)).rejects.toEqual(refusedWith('FILTERED_INDEX_FAILED'));
    expect(await countWritten(job)).toBe(0);
    expect(await readIndex(client, writeAlias(job.filtered))).toBeNull();
  });

  it('when the filtered index is full no task runs on, not even one of a frozen predecessor', async () => {
    const job = await prepare(thousand, []);
    const onRangeFinished = (): Promise<void> => beginSlowTask(job);
    await populateFilteredIndex(client, { ...job, onRangeFinished });
    expect(await tasksInto(job)).toEqual([]);
  });

  it('giving up cancels the running tasks in the cluster', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled by the operator');
    const job = await prepare(thousand, [], { ...slow, signal: controller.signal });
    const populating = populateFilteredIndex(client, job);
    populating.catch(() => undefined);
    await runningTask(job);
    controller.abort(reason);
    await expect(populating).rejects.toBe(reason);
    expect(await tasksInto(job)).toEqual([]);
  });

  it('a task that a dead orchestrator left behind is ended before a new one begins', async () => {
    const job = await prepare(thousand, []);
    await beginSlowTask(job);
    const [left] = await tasksInto(job);
    expect(left).toBeDefined();
    expect(await populateFilteredIndex(client, job)).toMatchObject({ filtered: 1_000 });
    expect(await tasksInto(job)).toEqual([]);
  });

  it('a task that the cluster lost is begun again', async () => {
    let lost = 0;
    const faulty = await openFaultyEngine(({ url }) => {
      if (!/^\/_tasks\/[^?]+$/.test(url ?? '') || lost === 2) return null;
      lost += 1;
      return {
        status: 404,
        body: { error: { type: 'resource_not_found_exception', reason: 'lost' }, status: 404 },
      };
    });
    const job = await prepare(thousand, ['bad']);
    expect(await populateFilteredIndex(openSearchClient([faulty.url]), job)).toMatchObject({
      filtered: 1_000,
    });
    expect(lost).toBe(2);
    await faulty.close();
  });

  it('an overloaded engine is asked again, while searching and while copying', async () => {
    const seen = new Set<string>();
    const faulty = await openFaultyEngine(({ url }) => {
      const path = (url ?? '').replace(/[?].*/, '').replace(/^\/_tasks\/.*/, '/_tasks');
      if (!/_search|_tasks|_analyze|_refresh|_count/.test(path) || seen.has(path)) return null;
      seen.add(path);
      return {
        status: 429,
        body: { error: { type: 'circuit_breaking_exception', reason: 'heap' }, status: 429 },
      };
    });
    const job = await prepare(thousand, ['bad']);
    expect(await populateFilteredIndex(openSearchClient([faulty.url]), job)).toMatchObject({
      filtered: 1_000,
    });
    expect(seen.size).toBeGreaterThanOrEqual(5);
    await faulty.close();
  });

  it('D42: no error shows a term', async () => {
    const faulty = await openFaultyEngine(({ url }) =>
      /_search/.test(url ?? '')
        ? {
            status: 400,
            body: { error: { type: 'parsing_exception', reason: 'near secretword' }, status: 400 },
          }
        : null,
    );
    const job = await prepare(thousand, ['secretword', 'two secretword']);
    const error: unknown = await populateFilteredIndex(openSearchClient([faulty.url]), job).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'SEARCH_REFUSED' });
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause])).not.toContain(
      'secretword',
    );
    await faulty.close();
  });
});
