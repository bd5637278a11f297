import { pipeline } from 'node:stream/promises';
import { parseQualifiedName, quoteLiteral, quoteQualified } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import { identifierColumn } from './columnPlan.js';
import { openCopyIn, openCopyOut } from './streams.js';

/** What a deleted-media or sensitive-media table listed at one moment, in a TEMP table of the joining session. */
export interface AppliedList {
  /** As the configuration calls it. */
  readonly relation: string;
  /** Qualified; needs no quotes. */
  readonly tempName: string;
}

/**
 * Reads the lists once. The join and the record of what the run has applied come from the same reading, so that a change of the lists
 * meanwhile is neither lost nor applied twice; and the long transaction of the copy holds no lock on tables that the API writes.
 */
export async function loadLists(keys: Session, relations: readonly string[]): Promise<AppliedList[]> {
  const lists: AppliedList[] = [];
  for (const [i, relation] of relations.entries()) {
    const source = quoteQualified(parseQualifiedName(relation));
    await keys.query(
      `create temp table list_${i} as select distinct ${identifierColumn}::uuid as identifier from ${source} where ${identifierColumn} is not null`,
    );
    await keys.query(`analyze pg_temp.list_${i}`);
    lists.push({ relation, tempName: `pg_temp.list_${i}` });
  }
  return lists;
}

/** Records the lists as applied by the run, in the target's transaction. Run again it starts over. */
export async function recordLists(
  { keys, target }: { readonly keys: Session; readonly target: Session },
  runId: string,
  lists: readonly AppliedList[],
): Promise<void> {
  // Ids of an older copy of this run: new records of this one may get them.
  await target.query('delete from freshet.removed where run_id = $1', [runId]);
  for (const { relation, tempName } of lists) {
    await target.query('delete from freshet.applied where run_id = $1 and relation = $2', [runId, relation]);
    const fields = `${quoteLiteral(runId)}::text, ${quoteLiteral(relation)}::text, identifier`;
    await pipeline(
      openCopyOut(keys, 'API database', `select ${fields} from ${tempName}`),
      openCopyIn(target, 'copy freshet.applied (run_id, relation, identifier) from stdin'),
    );
  }
}
