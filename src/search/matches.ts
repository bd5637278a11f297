import { FreshetError } from '../errors.js';
import { searchLongRequestTimeoutMs, searchPageHits, termSearchesInFlight } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { runLanes } from './lanes.js';
import { SortedIds } from './sortedIds.js';
import { termQueries, type AnalysedTerms } from './termQueries.js';

export interface MatchSearch {
  /** A refreshed index. */
  readonly index: string;
  readonly idField: string;
  readonly terms: readonly AnalysedTerms[];
  readonly onTermsSearched: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The ids of all documents with at least one of the terms. */
export async function findMatches(client: SearchClient, search: MatchSearch): Promise<SortedIds> {
  const ids = new SortedIds();
  const queries = termQueries(search.terms);
  const total = search.terms.reduce((sum, { words, phrases }) => sum + words.length + phrases.length, 0);
  let done = 0;
  await runLanes(termSearchesInFlight, search.signal, async (signal) => {
    for (let next = queries.next(); next.done !== true; next = queries.next()) {
      const { query, terms, answered } = next.value;
      answered(await collectIds(client, search, query, ids, signal));
      done += terms;
      search.onTermsSearched(done, total);
    }
  });
  return ids;
}

interface IdHits {
  readonly hits?: { readonly hits?: readonly { readonly sort: readonly [number] }[] };
}

/** Adds the ids of all hits; returns the number of pages. Sorted by the unique id, a page begins after the last id of the one before. */
async function collectIds(
  client: SearchClient,
  { index, idField }: MatchSearch,
  query: object,
  ids: SortedIds,
  signal: AbortSignal,
): Promise<number> {
  let after: number | undefined;
  for (let pages = 1; ; pages += 1) {
    const { body } = await callEngine<IdHits>(client, {
      method: 'POST',
      path: [index, '_search'],
      query: { allow_partial_search_results: false, filter_path: 'hits.hits.sort' },
      body: {
        size: searchPageHits,
        query,
        sort: [{ [idField]: 'asc' }],
        track_total_hits: false,
        _source: false,
        stored_fields: '_none_',
        ...(after === undefined ? {} : { search_after: [after] }),
      },
      what: `searching ${index} for sensitive terms`,
      timeoutMs: searchLongRequestTimeoutMs,
      isSecret: true,
      repeatable: true,
      signal,
    });
    const hits = body.hits?.hits ?? [];
    for (const { sort } of hits) ids.add(assertId(sort[0], index));
    after = hits.at(-1)?.sort[0];
    if (hits.length < searchPageHits) return pages;
  }
}

/** Beyond 2^53 JSON numbers are rounded: an id would stand for its neighbour. */
function assertId(id: unknown, index: string): number {
  if (Number.isSafeInteger(id)) return id as number;
  throw new FreshetError(
    'FILTERED_INDEX_FAILED',
    `A document of ${index} has no id within ±2^53: ${String(id)}.`,
    { index },
  );
}
