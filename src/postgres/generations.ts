import { FreshetError, messageOf } from '../errors.js';
import { quoteQualified } from './identifiers.js';
import { hasSqlState, runWithLockRetries } from './lockRetry.js';
import { deleteParts, unmarkedRunId, type Part } from './marks.js';
import { withTransaction, type Session } from './session.js';

export { listParts, type Part } from './marks.js';

export interface Needed {
  /** Tables (and kept orphans) of generations that stay. */
  readonly keepOids: readonly number[];
  /** Why what a run made stays; null = it may go. */
  readonly whyRunKept: (runId: string) => string | null;
}

/** Why a marked table stays; null = nobody needs it. What was live before freshet belongs to no run. */
export function whyTableKept(part: Part, { keepOids, whyRunKept }: Needed): string | null {
  if (part.role === 'live') return 'it is live';
  if (keepOids.includes(part.oid)) return 'it belongs to a generation that is kept';
  if (part.role === 'previous' && part.runId === unmarkedRunId) return null;
  return whyRunKept(part.runId);
}

/**
 * Drops marked tables that nobody needs any more (`whyTableKept`), all in one statement: keys among them do not stand in the way. Never
 * CASCADE: what a user built on a table is not ours to drop. TABLE_BUSY where somebody holds one for longer than `windowMs`, PREVIOUS_IN_USE
 * where something else depends on one: nothing is dropped then.
 */
export async function dropParts(session: Session, parts: readonly Part[], windowMs: number): Promise<void> {
  if (parts.length === 0) return;
  const relation = parts.map(({ name }) => `${name.schema}.${name.name}`).join(', ');
  const oids = parts.map(({ oid }) => oid);
  if (parts.some(({ role }) => role === 'live'))
    throw new Error(`a live table was to be dropped: ${relation}`);
  const drop = (): Promise<void> =>
    withTransaction(session, async () => {
      await session.query(`drop table ${parts.map(({ name }) => quoteQualified(name)).join(', ')}`);
      await deleteParts(session, oids);
    });
  try {
    await runWithLockRetries(session, drop, { relation, oids }, windowMs);
  } catch (error) {
    if (!hasSqlState(error, '2BP01')) throw error;
    throw new FreshetError(
      'PREVIOUS_IN_USE',
      `${relation} cannot be dropped: ${messageOf(error)}.`,
      { relation },
      { cause: error },
    );
  }
}
