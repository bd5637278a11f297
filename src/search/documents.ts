import { isDeepStrictEqual } from 'node:util';
import type { SearchDocument } from '../documents/types.js';
import { FreshetError } from '../errors.js';
import { fetchDocumentsMax } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

interface FoundDocument {
  readonly _id: string;
  readonly found?: boolean;
  readonly _source?: SearchDocument;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

/** The documents with these ids; null for each that the index does not have. Sees writes that were not refreshed yet. */
export async function fetchDocuments(
  client: SearchClient,
  index: string,
  ids: readonly string[],
): Promise<Map<string, SearchDocument | null>> {
  const documents = new Map<string, SearchDocument | null>();
  for (let next = 0; next < ids.length; next += fetchDocumentsMax) {
    const { body } = await callEngine<{ docs: readonly FoundDocument[] }>(client, {
      method: 'POST',
      path: [index, '_mget'],
      body: { ids: ids.slice(next, next + fetchDocumentsMax) },
      what: `reading documents of ${index}`,
      repeatable: true,
    });
    for (const { _id: id, _source: source, error } of body.docs) {
      if (error !== undefined) throw readError(index, id, error);
      documents.set(id, source ?? null);
    }
  }
  return documents;
}

function readError(index: string, id: string, error: { type?: string; reason?: string }): FreshetError {
  const isMissing = error.type === 'no_shard_available_action_exception';
  return new FreshetError(
    isMissing ? 'SEARCH_UNREACHABLE' : 'SEARCH_REFUSED',
    `The document ${id} of ${index} cannot be read: ${error.type ?? 'error'}: ${error.reason ?? ''}.`,
    { index },
  );
}

/**
 * The names of the fields in which a document differs from what was expected, sorted; empty = equal. Lists are compared in order, objects by
 * their keys, numbers exactly, as JSON carries them. Pure.
 */
export function compareDocument(expected: SearchDocument, found: SearchDocument): string[] {
  const sent = JSON.parse(JSON.stringify(expected)) as SearchDocument;
  const names = new Set([...Object.keys(sent), ...Object.keys(found)]);
  return [...names].filter((name) => !isDeepStrictEqual(sent[name], found[name])).sort();
}
