import { candidateAlias } from '../config/candidateAlias.js';
import type { MediaConfig } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { moveAliases, readAlias, readIndex, type AliasRemoval } from '../search/index.js';
import type { RunContext } from './context.js';
import { indexNamesOf, type IndexNames } from './indexNames.js';

/** A held run's candidate can be looked at under aliases of its own, through which documents can neither be written nor deleted. */
interface Shown {
  readonly alias: string;
  readonly index: string;
}

function shownOf({ index }: MediaConfig, { main, filtered }: Pick<IndexNames, 'main' | 'filtered'>): Shown[] {
  return [
    { alias: candidateAlias(index.alias), index: main },
    { alias: candidateAlias(index.filteredAlias), index: filtered },
  ];
}

/** What the request that makes a candidate live takes away with it. */
export function candidateRemovals(
  media: MediaConfig,
  names: Pick<IndexNames, 'main' | 'filtered'>,
): AliasRemoval[] {
  return shownOf(media, names).map(({ alias, index }) => ({ alias, from: index }));
}

/** Points the candidate's aliases at the run's indexes. @returns the aliases. Throws CANDIDATE_ALIAS_TAKEN. */
export async function addCandidateAliases(context: RunContext): Promise<string[]> {
  const shown = shownOf(context.definition.media, indexNamesOf(context));
  const moves = [];
  for (const { alias, index } of shown) {
    moves.push({ alias, to: index, from: await readUsable(context, alias), readOnly: true });
  }
  await moveAliases(context.search, moves);
  return shown.map(({ alias }) => alias);
}

/** Before hours of work: the aliases that the candidate shall have are free, or left by a run of ours that is over. Throws CANDIDATE_ALIAS_TAKEN. */
export async function assertCandidateAliasesFree(context: RunContext): Promise<void> {
  for (const { alias } of shownOf(context.definition.media, indexNamesOf(context))) {
    await readUsable(context, alias);
  }
}

/** The indexes from which this run may take the alias: its own, and those that runs which are over left. */
async function readUsable(context: RunContext, alias: string): Promise<string[]> {
  const { search, run } = context;
  if ((await readIndex(search, alias)) !== null) throw taken(alias, 'is an index');
  const indexes = await readAlias(search, alias);
  for (const index of indexes) {
    const mark = (await readIndex(search, index))?.mark ?? null;
    const isOurs = mark !== null && (mark.runId === run.id || (await context.isOver(mark.runId)));
    if (!isOurs) throw taken(alias, `points at ${index}`);
  }
  return indexes;
}

function taken(alias: string, why: string): FreshetError {
  return new FreshetError(
    'CANDIDATE_ALIAS_TAKEN',
    `The held candidate cannot be shown as ${alias}: that ${why}, which freshet did not make for it.`,
    { alias },
  );
}
