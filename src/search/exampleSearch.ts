import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

export interface TitleHits {
  readonly total: number;
  readonly titles: readonly string[];
}

interface TitleAnswer {
  readonly hits: {
    readonly total: { readonly value: number };
    readonly hits: readonly { readonly _source?: { readonly title?: string } }[];
  };
}

/** A search as the API does it, by words in title, description and tags: how many documents, and the first titles. */
export async function searchTitles(client: SearchClient, alias: string, words: string): Promise<TitleHits> {
  const query = { simple_query_string: { query: words, fields: ['title', 'description', 'tags.name'] } };
  const { body } = await callEngine<TitleAnswer>(client, {
    method: 'POST',
    path: [alias, '_search'],
    body: { size: 2, track_total_hits: true, _source: ['title'], query },
    what: `searching ${alias}`,
    repeatable: true,
  });
  return {
    total: body.hits.total.value,
    titles: body.hits.hits.map((hit) => hit._source?.title ?? '(no title)'),
  };
}
