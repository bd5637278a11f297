import type { IndexDefinition } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { callEngine, refusedFor } from './call.js';
import type { SearchClient } from './client.js';
import { creationBody, differencesOf } from './definition.js';
import { deleteIndex } from './deleteIndex.js';
import type { IndexMark } from './mark.js';
import { differenceError, readIndex, requireIndex, type FoundIndex } from './readIndex.js';
import { writeAlias } from './names.js';

export interface NewIndex {
  readonly name: string;
  readonly index: IndexDefinition;
  readonly shards: number;
  readonly mark: IndexMark;
  /** Alias for the run's own writers, see `writeAlias`; null = none. */
  readonly writeAlias: string | null;
  /** An index of that name with this run's mark: go on with it (default), or delete it and begin anew. */
  readonly existing?: 'reuse' | 'replace';
}

/**
 * Creates an index for loading: no replicas, no refreshes, our mark, and the alias of the run's writers. Looks first: an index that this run
 * made before (a step may run twice) is used again or replaced; any other is left alone. Throws INDEX_NAME_TAKEN.
 */
export async function createIndex(client: SearchClient, wanted: NewIndex): Promise<{ created: boolean }> {
  const found = await readIndex(client, wanted.name);
  if (found !== null) {
    assertOwn(wanted, found);
    if (wanted.existing !== 'replace') return reuseIndex(client, wanted, found);
    await deleteIndex(client, wanted.name);
    failpoint('index.deleted');
  }
  try {
    await putIndex(client, wanted);
    return { created: true };
  } catch (error) {
    // Created meanwhile by a frozen predecessor of this very step, or by somebody else: the mark tells.
    if (refusedFor(error) !== 'resource_already_exists_exception') throw error;
    assertOwn(wanted, await requireIndex(client, wanted.name));
    return { created: false };
  }
}

async function putIndex(
  client: SearchClient,
  { name, index, shards, mark, writeAlias }: NewIndex,
): Promise<void> {
  await callEngine(client, {
    method: 'PUT',
    path: [name],
    body: creationBody(index, shards, mark, writeAlias),
    what: `creating the index ${name}`,
  });
}

function assertOwn({ name, mark }: NewIndex, found: FoundIndex): void {
  if (found.mark?.runId === mark.runId && found.mark.role === mark.role) return;
  const owner = found.mark === null ? 'not made by freshet' : `made by the run ${found.mark.runId}`;
  throw new FreshetError('INDEX_NAME_TAKEN', `There is already an index ${name}, ${owner}.`, { index: name });
}

async function reuseIndex(
  client: SearchClient,
  wanted: NewIndex,
  found: FoundIndex,
): Promise<{ created: boolean }> {
  const differences = differencesOf(wanted.index, { shards: wanted.shards }, found);
  if (differences.length > 0) throw differenceError(wanted.name, differences);
  if (wanted.writeAlias !== null && !(wanted.writeAlias in found.aliases)) {
    await callEngine(client, {
      method: 'PUT',
      path: [wanted.name, '_alias', wanted.writeAlias],
      what: `adding the alias of the run's writers to ${wanted.name}`,
      repeatable: true,
    });
  }
  return { created: false };
}

/** Takes the alias of the run's writers away: a writer that was thought dead then fails instead of undoing a later change. Idempotent. */
export async function removeWriteAlias(
  client: SearchClient,
  name: string,
  alias = writeAlias(name),
): Promise<void> {
  await callEngine(client, {
    method: 'DELETE',
    path: [name, '_alias', alias],
    what: `removing the alias of the run's writers from ${name}`,
    accept: [404],
    repeatable: true,
  });
}
