import type { RefreshDefinition } from '../config/types.js';
import { hasMarks, listParts } from '../postgres/marks.js';
import { withSession, type Session } from '../postgres/session.js';
import { openSearchClient, type SearchClient } from '../search/client.js';
import { readIndexSize } from '../search/indexSize.js';
import { listPresentGenerations, type Generation } from '../state/generations.js';
import { findRun } from '../state/runs.js';
import type { Services } from './context.js';
import { liveNameOf, tablesOf } from './tables.js';

/** A part of a generation: a table, or an index. */
export interface GenerationPart {
  readonly kind: 'table' | 'main index' | 'filtered index';
  /** What it is called now; of a table that is gone, what it was live as. */
  readonly name: string;
  readonly isThere: boolean;
  /** Documents, or rows as the table's statistics have them; null where it is gone, or an index is not up. */
  readonly count: number | null;
  /** With indexes, or all copies; null as above. */
  readonly bytes: number | null;
  /** Runs of other generations that have the same part. */
  readonly sharedWith: readonly string[];
}

/** What is or was live together, or is to be, with how much room it takes. */
export interface ShownGeneration {
  readonly environment: string;
  readonly media: string;
  readonly runId: string;
  readonly state: Generation['state'];
  /** Of the run that made it. */
  readonly runState: string | null;
  readonly createdAt: Date;
  /** Since when it is live, or was: the last time. Null = never. */
  readonly promotedAt: Date | null;
  readonly parts: readonly GenerationPart[];
}

/** The generations of a definition that are not gone: candidates, live and previous, the newest first. Throws where a server does not answer. */
export async function showGenerations(
  { state, resolve }: Pick<Services, 'state' | 'resolve'>,
  definition: RefreshDefinition,
): Promise<ShownGeneration[]> {
  const { environment, media } = definition;
  const present = (await listPresentGenerations(state.pool)).filter(
    (one) => one.environment === environment.name && one.media === media.name,
  );
  if (present.length === 0) return [];
  const { apiUrl, searchUrls } = await resolve(environment.name);
  const client = openSearchClient(searchUrls);
  try {
    const options = { applicationName: 'freshet generations', called: 'API database' };
    return await withSession(apiUrl, options, async (session) => {
      const shown: ShownGeneration[] = [];
      for (const generation of present) {
        const others = present.filter((one) => one !== generation);
        const { runId, createdAt, promotedAt } = generation;
        shown.push({
          environment: environment.name,
          media: media.name,
          runId,
          state: generation.state,
          runState: (await findRun(state, runId))?.state ?? null,
          createdAt,
          promotedAt,
          parts: [
            ...(await showTables(session, definition, generation, others)),
            ...(await showIndexes(client, generation, others)),
          ],
        });
      }
      return shown;
    });
  } finally {
    await client.close();
  }
}

async function showTables(
  session: Session,
  { media }: RefreshDefinition,
  generation: Generation,
  others: readonly Generation[],
): Promise<GenerationPart[]> {
  const candidates = await listCandidateTables(session, generation);
  const parts: GenerationPart[] = [];
  for (const live of tablesOf(media).map(liveNameOf)) {
    const oid = generation.tables[live.name] ?? candidates.get(live.name);
    if (oid === undefined) continue;
    const { rows } = await session.query<{ name: string; count: number; bytes: number }>(
      `select c.oid::regclass::text as name, greatest(c.reltuples, 0)::float8 as count, pg_total_relation_size(c.oid)::float8 as bytes
       from pg_class c where c.oid = $1`,
      [oid],
    );
    const found = rows[0] ?? { name: `${live.schema}.${live.name}`, count: null, bytes: null };
    const isThere = rows.length > 0;
    const sharedWith = others.filter((other) => other.tables[live.name] === oid).map(({ runId }) => runId);
    parts.push({ kind: 'table', ...found, isThere, sharedWith });
  }
  return parts;
}

/** Until its swap the temp tables of a run are known by their marks alone. */
async function listCandidateTables(
  session: Session,
  { state, runId, media }: Generation,
): Promise<ReadonlyMap<string, number>> {
  if (state !== 'candidate' || !(await hasMarks(session))) return new Map();
  const parts = (await listParts(session, media)).filter(
    (part) => part.role === 'candidate' && part.runId === runId,
  );
  return new Map(parts.map(({ liveName, oid }) => [liveName, oid]));
}

async function showIndexes(
  client: SearchClient,
  { mainIndex, filteredIndex }: Generation,
  others: readonly Generation[],
): Promise<GenerationPart[]> {
  const parts: GenerationPart[] = [];
  for (const [kind, name] of [
    ['main index', mainIndex],
    ['filtered index', filteredIndex],
  ] as const) {
    const size = await readIndexSize(client, name);
    const sharedWith = others
      .filter((other) => [other.mainIndex, other.filteredIndex].includes(name))
      .map(({ runId }) => runId);
    const { documents: count, bytes } = size ?? { documents: null, bytes: null };
    parts.push({ kind, name, isThere: size !== null, count, bytes, sharedWith });
  }
  return parts;
}
