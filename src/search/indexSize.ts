import { indexUpWaitMs } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

/** How large an index is. */
export interface IndexSize {
  /** As of its last refresh; null where not all of it is up, of which the engine counts only what is. */
  readonly documents: number | null;
  /** With all copies; null as above. */
  readonly bytes: number | null;
}

interface StatsBody {
  readonly _all: {
    readonly primaries: { readonly docs?: { readonly count: number } };
    readonly total: { readonly store?: { readonly size_in_bytes: number } };
  };
}

/** Reads what the engine says of an index; null where there is none. A cluster that has just started is waited for for some seconds. */
export async function readIndexSize(client: SearchClient, index: string): Promise<IndexSize | null> {
  const first = await readStats(client, index);
  if (first === null || (await isUp(client, index))) return first && readStats(client, index);
  return { documents: null, bytes: null };
}

/** Whether every shard of an index has a copy that answers. */
async function isUp(client: SearchClient, index: string): Promise<boolean> {
  const { body } = await callEngine<{ status: string }>(client, {
    method: 'GET',
    path: ['_cluster', 'health', index],
    query: { wait_for_status: 'yellow', timeout: `${indexUpWaitMs}ms` },
    what: `reading the health of ${index}`,
    accept: [408],
    repeatable: true,
  });
  return body.status !== 'red';
}

async function readStats(client: SearchClient, index: string): Promise<IndexSize | null> {
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
