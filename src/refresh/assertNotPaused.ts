import type { ClientBase } from 'pg';
import { FreshetError } from '../errors.js';
import { findPause } from '../state/paused.js';

/** Throws DEFINITION_PAUSED. Called in the transaction that adds a run or another attempt of one, so that nothing gets around it. */
export async function assertNotPaused(
  queryable: Pick<ClientBase, 'query'>,
  definition: string,
): Promise<void> {
  const pausedAt = await findPause(queryable, definition);
  if (pausedAt === null) return;
  throw new FreshetError('DEFINITION_PAUSED', `${definition} is paused since ${pausedAt.toISOString()}.`, {
    definition,
  });
}
