import type { SearchDocument } from '../documents/types.js';
import { FreshetError } from '../errors.js';
import { documentPageHits } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

/** A document of an index as a search gives it. */
export interface FoundHit {
  readonly id: string;
  readonly source: SearchDocument;
}

/** A part of an index by the numeric field that is the document's id; null = no bound. */
export interface HitRange {
  readonly after: string | null;
  readonly to: string | null;
}

interface SearchAnswer {
  readonly hits: {
    readonly hits: readonly {
      readonly _id: string;
      readonly _source: SearchDocument;
      readonly sort?: readonly [number];
    }[];
  };
}

/**
 * The documents whose `idField` lies in the range, in its order, some thousands at a time, as of the index' last refresh. Each page begins after the
 * last id of the one before: no context is kept open on the cluster, and a page that is asked for twice is the same one.
 */
export async function* documentsBetween(
  client: SearchClient,
  index: string,
  idField: string,
  { after, to }: HitRange,
): AsyncGenerator<FoundHit[], void, undefined> {
  let bound: Record<string, string | number> = after === null ? {} : { gt: after };
  let seenAtBound = new Set<string>();
  for (;;) {
    const range = { [idField]: { ...bound, ...(to === null ? {} : { lte: to }) } };
    const hits = await searchPage(client, index, { range }, [{ [idField]: 'asc' }]);
    yield hits.filter(({ _id: id }) => !seenAtBound.has(id)).map(toHit);
    const last = hits.at(-1)?.sort?.[0];
    if (hits.length < documentPageHits || last === undefined) return;
    // The id itself again: documents that somebody else wrote may share one, and a page must not end between them unseen.
    const atLast = hits.filter((hit) => hit.sort?.[0] === last).map(({ _id: id }) => id);
    if (atLast.length === hits.length) throw sharedId(index, idField, last);
    seenAtBound = new Set(atLast);
    bound = { gte: last };
  }
}

/** Documents that lack `idField`: no refresh makes such. At most one page of them. */
export async function documentsWithout(
  client: SearchClient,
  index: string,
  idField: string,
): Promise<FoundHit[]> {
  const query = { bool: { must_not: [{ exists: { field: idField } }] } };
  return (await searchPage(client, index, query, ['_doc'])).map(toHit);
}

async function searchPage(
  client: SearchClient,
  index: string,
  query: object,
  sort: readonly unknown[],
): Promise<SearchAnswer['hits']['hits']> {
  const { body } = await callEngine<SearchAnswer>(client, {
    method: 'POST',
    path: [index, '_search'],
    // A document that a missing shard holds would count as not there.
    query: {
      allow_partial_search_results: false,
      filter_path: 'hits.hits._id,hits.hits._source,hits.hits.sort',
    },
    body: { size: documentPageHits, query, sort, track_total_hits: false },
    what: `reading the documents of ${index}`,
    repeatable: true,
  });
  return (body as Partial<SearchAnswer>).hits?.hits ?? [];
}

function toHit({ _id: id, _source: source }: SearchAnswer['hits']['hits'][number]): FoundHit {
  return { id, source };
}

function sharedId(index: string, idField: string, id: number): FreshetError {
  return new FreshetError(
    'SEARCH_REFUSED',
    `${documentPageHits} documents or more of ${index} have the same ${idField}, ${id}: they cannot be told apart page by page.`,
    { index },
  );
}
