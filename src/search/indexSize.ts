import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

/** How large an index is. */
export interface IndexSize {
  /** As of its last refresh. */
  readonly documents: number;
  /** With all copies. */
  readonly bytes: number;
}

interface StatsBody {
  readonly _all: {
    readonly primaries: { readonly docs?: { readonly count: number } };
    readonly total: { readonly store?: { readonly size_in_bytes: number } };
  };
}

/** Reads what the engine says of an index; null where there is none. */
export async function readIndexSize(client: SearchClient, index: string): Promise<IndexSize | null> {
  const { status, body } = await callEngine<StatsBody>(client, {
    method: 'GET',
    path: [index, '_stats', 'docs,store'],
    what: `reading the size of ${index}`,
    accept: [404],
    repeatable: true,
  });
  if (status === 404) return null;
  const { primaries, total } = body._all;
  return { documents: primaries.docs?.count ?? 0, bytes: total.store?.size_in_bytes ?? 0 };
}
