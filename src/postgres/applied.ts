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

/**
 * Before a generation becomes live again: which sensitive marks its documents are known to have. What its own run has applied was true when it
 * was live, and API writers have gone on since, on it first and then on the generation `liveRunId`, whose run has applied what was marked when
 * it took over. So a mark that is listed counts as known only where both runs have applied it, and one that is listed no more counts as
 * known where either has: the difference to what is listed now (`listMarkChanges`) is then everything that has to be written again, and some
 * documents more. Once, before the first of them is written.
 */
export async function recordKnownMarks(
  session: Session,
  {
    runId,
    liveRunId,
    relation,
  }: { readonly runId: string; readonly liveRunId: string; readonly relation: string },
): Promise<void> {
  const table = quoteQualified(parseQualifiedName(relation));
  await session.query(
    `with doubtful as (
       delete from freshet.applied a where a.run_id = $1 and a.relation = $3
         and exists (select from ${table} s where s.identifier = a.identifier)
         and not exists (select from freshet.applied l where l.run_id = $2 and l.relation = $3 and l.identifier = a.identifier))
     insert into freshet.applied (run_id, relation, identifier)
     select $1::text, $3::text, l.identifier from freshet.applied l where l.run_id = $2 and l.relation = $3
       and not exists (select from ${table} s where s.identifier = l.identifier)
     on conflict do nothing`,
    [runId, liveRunId, relation],
  );
}
