import { parseQualifiedName, quoteQualified } from './identifiers.js';
import type { Session } from './session.js';

/**
 * Records which identifiers `relation` (deleted-media or sensitive-media table) lists now as the ones that run `runId` takes into account.
 * Run again it starts over. Belongs into the transaction that makes use of them.
 * @returns how many identifiers.
 */
export async function recordApplied(session: Session, runId: string, relation: string): Promise<number> {
  const table = quoteQualified(parseQualifiedName(relation));
  await session.query('delete from freshet.applied where run_id = $1 and relation = $2', [runId, relation]);
  const { rowCount } = await session.query(
    `insert into freshet.applied (run_id, relation, identifier) select distinct $1::text, $2::text, identifier from ${table} where identifier is not null`,
    [runId, relation],
  );
  return rowCount ?? 0;
}
