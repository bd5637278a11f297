import { failpoint } from '../../failpoints.js';
import { quoteQualified } from '../../postgres/identifiers.js';
import { createIndex } from '../../search/index.js';
import { writeAlias } from '../../search/names.js';
import { recordCandidate } from '../../state/generations.js';
import { version } from '../../version.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { liveNameOf, tablesOf } from '../tables.js';

/** Creates the main and the filtered index in their loading settings, marked as this run's. */
export const createIndexes: Step<{ main: string; filtered: string }> = async (context) => {
  const names = indexNamesOf(context);
  await createMarked(context, names.main, 'main', 'reuse');
  failpoint('create-indexes.main');
  await createMarked(context, names.filtered, 'filtered', 'reuse');
  failpoint('create-indexes.filtered');
  await recordGeneration(context);
  return { main: names.main, filtered: names.filtered };
};

/** Creates the filtered index alone. */
export const createFilteredIndex: Step<{ main: string; filtered: string }> = async (context) => {
  const names = indexNamesOf(context);
  await createMarked(context, names.filtered, 'filtered', 'reuse');
  failpoint('create-indexes.filtered');
  await recordGeneration(context);
  return { main: names.main, filtered: names.filtered };
};

/** Creates an index of this run, or goes on with the one that an earlier try of this run made. */
export async function createMarked(
  context: RunContext,
  name: string,
  role: 'main' | 'filtered',
  existing: 'reuse' | 'replace',
): Promise<void> {
  const { definition, run, search } = context;
  await createIndex(search, {
    name,
    index: definition.media.index,
    shards: definition.settings.shards,
    mark: { runId: run.id, media: run.media, role, version },
    writeAlias: writeAlias(name),
    existing,
  });
}

/** The candidate: a run that does not copy shares the live tables; one that does gets its own in the swap. */
async function recordGeneration(context: RunContext): Promise<void> {
  const { run } = context;
  const names = indexNamesOf(context);
  await recordCandidate(context.state, {
    environment: run.environment,
    media: run.media,
    runId: run.id,
    tables: run.parameters.skipCopyData ? await readLiveOids(context) : {},
    mainIndex: names.main,
    filteredIndex: names.filtered,
  });
}

/** Oids of the live tables, by name. */
export async function readLiveOids(context: RunContext): Promise<Record<string, number>> {
  const names = tablesOf(context.definition.media).map((mapping) => liveNameOf(mapping));
  const { rows } = await context.withApi((session) =>
    session.query<{ place: string; oid: string }>(
      `select place, name::regclass::oid::bigint as oid from unnest($1::text[]) with ordinality as t (name, place)`,
      [names.map(quoteQualified)],
    ),
  );
  return Object.fromEntries(
    rows.map(({ place, oid }) => [names[Number(place) - 1]?.name ?? '', Number(oid)]),
  );
}
