import type { IndexDefinition } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { differencesOf, type ExpectedSettings, type IndexState } from './definition.js';
import { markIn, type IndexMark } from './mark.js';

/** What an index is and carries. */
export interface FoundIndex extends IndexState {
  readonly mark: IndexMark | null;
}

/** The index `name` itself (not one that an alias of that name points at), or null. */
export async function readIndex(client: SearchClient, name: string): Promise<FoundIndex | null> {
  const { status, body } = await callEngine<Record<string, IndexState>>(client, {
    method: 'GET',
    path: [name],
    what: `reading the index ${name}`,
    accept: [404],
    repeatable: true,
  });
  const found = status === 404 ? undefined : body[name];
  return found === undefined ? null : { ...found, mark: markIn(found.mappings) };
}

/** Like `readIndex`; throws INDEX_MISSING. */
export async function requireIndex(client: SearchClient, name: string): Promise<FoundIndex> {
  const found = await readIndex(client, name);
  if (found === null) {
    throw new FreshetError('INDEX_MISSING', `There is no index ${name}.`, { index: name });
  }
  return found;
}

/** All indexes whose names begin with `prefix` and that carry our mark. */
export async function listMarkedIndexes(
  client: SearchClient,
  prefix: string,
): Promise<Map<string, FoundIndex>> {
  const { body } = await callEngine<Record<string, IndexState>>(client, {
    method: 'GET',
    path: [`${prefix}*`],
    what: `listing the indexes ${prefix}*`,
    repeatable: true,
  });
  const marked = Object.entries(body).flatMap(([name, state]): [string, FoundIndex][] => {
    const mark = markIn(state.mappings);
    return mark === null ? [] : [[name, { ...state, mark }]];
  });
  return new Map(marked);
}

/** In which points the index is not what the definition says; empty = it is. Throws INDEX_MISSING. */
export async function differencesFromDefinition(
  client: SearchClient,
  name: string,
  index: IndexDefinition,
  settings: ExpectedSettings,
): Promise<string[]> {
  return differencesOf(index, settings, await requireIndex(client, name));
}

export function differenceError(name: string, differences: readonly string[]): FreshetError {
  return new FreshetError(
    'INDEX_SETTINGS_DIFFER',
    `The index ${name} is not as it was defined: ${differences.join('; ')}.`,
    { index: name, differences },
  );
}
