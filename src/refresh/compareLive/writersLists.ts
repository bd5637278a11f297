import type { MediaConfig } from '../../config/types.js';
import { parseQualifiedName, quoteQualified } from '../../postgres/identifiers.js';
import type { Session } from '../../postgres/session.js';
import type { WritersFacts } from './documentVerdict.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Which of the identifiers a list (deleted-media or sensitive-media table) has now. */
export async function findListed(
  api: Session,
  relation: string | null,
  identifiers: readonly string[],
): Promise<ReadonlySet<string>> {
  const asked = identifiers.filter((identifier) => uuid.test(identifier));
  if (relation === null || asked.length === 0) return new Set();
  const { rows } = await api.query<{ identifier: string }>(
    `select identifier::text as identifier from ${quoteQualified(parseQualifiedName(relation))} where identifier = any($1::uuid[])`,
    [asked],
  );
  return new Set(rows.map(({ identifier }) => identifier));
}

/** Which of the identifiers a run has taken into account of a list; null = no run is known. */
export async function findApplied(
  api: Session,
  runId: string | null,
  relation: string | null,
  identifiers: readonly string[],
): Promise<ReadonlySet<string>> {
  const asked = identifiers.filter((identifier) => uuid.test(identifier));
  if (runId === null || relation === null || asked.length === 0) return new Set();
  const { rows } = await api.query<{ identifier: string }>(
    `select identifier::text as identifier from freshet.applied
     where run_id = $1 and relation = $2 and identifier = any($3::uuid[])`,
    [runId, relation, asked],
  );
  return new Set(rows.map(({ identifier }) => identifier));
}

/** What API writers did to these records. */
export async function readFacts(
  api: Session,
  { main, sensitiveMediaTable }: MediaConfig,
  runId: string | null,
  identifiers: readonly string[],
): Promise<(identifier: string | null) => WritersFacts> {
  const deleted = main.deletedMediaTable;
  const isListed = await findListed(api, deleted, identifiers);
  const wasListed = await findApplied(api, runId, deleted, identifiers);
  const isMarked = await findListed(api, sensitiveMediaTable, identifiers);
  const wasMarked = await findApplied(api, runId, sensitiveMediaTable, identifiers);
  return (identifier) => {
    const has = (set: ReadonlySet<string>): boolean => identifier !== null && set.has(identifier);
    return {
      isListed: has(isListed),
      wasListed: has(wasListed),
      isMarked: has(isMarked),
      wasMarked: has(wasMarked),
    };
  };
}
