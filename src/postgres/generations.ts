import { FreshetError, messageOf } from '../errors.js';
import { quoteQualified } from './identifiers.js';
import { hasSqlState, runWithLockRetries } from './lockRetry.js';
import { deleteParts, ensureMarks, listParts, unmarkedRunId, type Part } from './marks.js';
import { withSession, withTransaction, type Session } from './session.js';
import type { IsRunOver } from './tempTable.js';

export { listParts, type Part } from './marks.js';

export interface DropOptions {
  readonly media: string;
  /** Previous tables (and kept orphans) of generations that stay. */
  readonly keepOids: readonly number[];
  /** Only what a run that is over made is dropped, and what was live before freshet. */
  readonly isRunOver: IsRunOver;
}

async function isDroppable(part: Part, { keepOids, isRunOver }: DropOptions): Promise<boolean> {
  if (keepOids.includes(part.oid) || part.role === 'live') return false;
  // The mark that the first promotion gave a table which no run of ours had made.
  if (part.role === 'previous' && part.runId === unmarkedRunId) return true;
  return isRunOver(part.runId);
}

/** All in one statement: keys among them do not stand in the way. Never CASCADE: what a user built on a table is not ours to drop. */
async function dropParts(session: Session, parts: readonly Part[]): Promise<void> {
  const relation = parts.map(({ name }) => `${name.schema}.${name.name}`).join(', ');
  const oids = parts.map(({ oid }) => oid);
  const drop = (): Promise<void> =>
    withTransaction(session, async () => {
      await session.query(`drop table ${parts.map(({ name }) => quoteQualified(name)).join(', ')}`);
      await deleteParts(session, oids);
    });
  try {
    await runWithLockRetries(session, drop, { relation, oids });
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

/** Drops the temp tables of a run that nobody goes on with. TABLE_BUSY where somebody holds one for too long. @returns what was dropped. */
export async function dropCandidates(
  apiUrl: string,
  { media, runId }: { readonly media: string; readonly runId: string },
): Promise<Part[]> {
  return withSession(apiUrl, { applicationName: 'freshet drop', called: 'API database' }, async (session) => {
    const candidates = (await listParts(session, media)).filter(
      (part) => part.role === 'candidate' && part.runId === runId,
    );
    if (candidates.length > 0) await dropParts(session, candidates);
    return candidates;
  });
}

/**
 * Drops what no kept generation uses: only marked objects, previous ones and candidates of runs that are over, never a live one,
 * never CASCADE. TABLE_BUSY where somebody holds one for too long, PREVIOUS_IN_USE where something else depends on one.
 * @returns what was dropped.
 */
export async function dropPrevious(apiUrl: string, options: DropOptions): Promise<Part[]> {
  return withSession(apiUrl, { applicationName: 'freshet drop', called: 'API database' }, async (session) => {
    await ensureMarks(session);
    const dropped: Part[] = [];
    for (const part of await listParts(session, options.media)) {
      if (await isDroppable(part, options)) dropped.push(part);
    }
    if (dropped.length > 0) await dropParts(session, dropped);
    return dropped;
  });
}
