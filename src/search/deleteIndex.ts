import { FreshetError } from '../errors.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { isCandidateAlias, isWriteAlias } from './names.js';
import { readIndex } from './readIndex.js';

/**
 * Deletes an index of ours; one that is gone already is fine. Refuses an index under any alias but its own writers' and a held
 * candidate's (somebody may read it: invariant I6) and one without our mark. Throws INDEX_IN_USE, INDEX_NOT_OURS.
 */
export async function deleteIndex(client: SearchClient, name: string): Promise<{ deleted: boolean }> {
  const found = await readIndex(client, name);
  if (found === null) return { deleted: false };
  if (found.mark === null) {
    throw new FreshetError('INDEX_NOT_OURS', `The index ${name} carries no mark of freshet.`, {
      index: name,
    });
  }
  const aliases = Object.entries(found.aliases)
    .filter(([alias, definition]) => !isWriteAlias(alias) && !isCandidateAlias(alias, definition))
    .map(([alias]) => alias);
  if (aliases.length > 0) {
    throw new FreshetError('INDEX_IN_USE', `The index ${name} is served as ${aliases.join(', ')}.`, {
      index: name,
      aliases,
    });
  }
  const { status } = await callEngine(client, {
    method: 'DELETE',
    path: [name],
    what: `deleting the index ${name}`,
    accept: [404],
  });
  return { deleted: status !== 404 };
}
