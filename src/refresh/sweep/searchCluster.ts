import type { MediaConfig } from '../../config/types.js';
import { FreshetError } from '../../errors.js';
import type { SearchClient } from '../../search/client.js';
import { deleteIndex, listMarkedIndexes, removeWriteAlias } from '../../search/index.js';
import { isCandidateAlias, isWriteAlias, writeAlias } from '../../search/names.js';
import type { FoundIndex } from '../../search/readIndex.js';
import { endReindexTasks, listReindexTargets } from '../../search/reindexTask.js';
import { isOver, keptGenerations, whyRunKept, type Leftover, type SweepRules } from './rules.js';

export type AliasLeftover = Leftover & { readonly index: string };

/** What runs have left in a search cluster. */
export interface SearchLeftovers {
  /** Reindex tasks that write for runs that are over; `name` is what they write to. */
  readonly tasks: readonly Leftover[];
  readonly indexes: readonly Leftover[];
  /** Aliases of a run's writers, or of a held candidate, on an index that stays. */
  readonly aliases: readonly AliasLeftover[];
  /** Runs that an index stays of. */
  readonly keptRuns: ReadonlySet<string>;
}

/**
 * Looks; changes nothing.
 * @param halfPromoted as in `ApiLeftovers`; null = the API database did not tell.
 */
export async function findInSearch(
  client: SearchClient,
  rules: SweepRules,
  media: readonly MediaConfig[],
  halfPromoted: ReadonlySet<string> | null,
): Promise<SearchLeftovers> {
  const targets = await listReindexTargets(client);
  const found = { tasks: [], indexes: [], aliases: [], keptRuns: new Set<string>() } as {
    tasks: Leftover[];
    indexes: Leftover[];
    aliases: AliasLeftover[];
    keptRuns: Set<string>;
  };
  for (const one of media) {
    for (const [name, index] of await listMarkedIndexes(client, `${one.index.alias}-`)) {
      const runId = index.mark?.runId;
      if (runId === undefined || index.mark?.media !== one.name) continue;
      const verdict = judgeIndex(name, index, { rules, media: one, halfPromoted });
      if (verdict !== null) found.indexes.push({ kind: 'index', name, runId, kept: verdict.kept });
      if (verdict?.kept !== null) found.keptRuns.add(runId);
      if (!isOver(rules, runId)) continue;
      if (verdict === null) found.aliases.push(...findAliases(name, index, runId));
      const to = writeAlias(name);
      if (targets.has(to)) found.tasks.push({ kind: 'task', name: to, runId, kept: null });
    }
  }
  return found;
}

interface Surroundings {
  readonly rules: SweepRules;
  readonly media: MediaConfig;
  readonly halfPromoted: ReadonlySet<string> | null;
}

/** Null = it is live or kept, which nobody calls a leftover. */
function judgeIndex(
  name: string,
  { mark, aliases }: FoundIndex,
  { rules, media, halfPromoted }: Surroundings,
): { kept: string | null } | null {
  const { alias, filteredAlias } = media.index;
  if ([alias, filteredAlias].some((served) => Object.hasOwn(aliases, served))) return null;
  if (keptGenerations(rules).some((one) => one.mainIndex === name || one.filteredIndex === name)) return null;
  const runId = mark?.runId ?? '';
  const foreign = Object.entries(aliases).filter(
    ([other, definition]) => !isWriteAlias(other) && !isCandidateAlias(other, definition),
  );
  if (foreign.length > 0) return { kept: `it is served as ${foreign.map(([other]) => other).join(', ')}` };
  if (halfPromoted?.has(runId) === true)
    return { kept: `the tables of run ${runId} are live, its aliases do not follow yet` };
  const reason = whyRunKept(rules, runId);
  if (reason === null && halfPromoted === null && rules.runs.get(runId)?.promotionBegan === true)
    return { kept: `the API database does not say whether the tables of run ${runId} are live` };
  return { kept: reason };
}

function findAliases(index: string, { aliases }: FoundIndex, runId: string): AliasLeftover[] {
  return Object.entries(aliases)
    .filter(([alias, definition]) => isWriteAlias(alias) || isCandidateAlias(alias, definition))
    .map(([name]) => ({ kind: 'alias', name, runId, kept: null, index }));
}

/** A task that runs on makes the index anew when its alias goes; one that begins later fails without it. */
export async function removeIndex(client: SearchClient, name: string): Promise<void> {
  await endReindexTasks(client, writeAlias(name));
  await removeWriteAlias(client, name).catch(unlessFull);
  await endReindexTasks(client, writeAlias(name));
  await deleteIndex(client, name);
}

/** Full disks block changes of aliases, not the deletion that makes room. Nobody can write to a blocked index either. */
function unlessFull(error: unknown): void {
  if (!(error instanceof FreshetError) || error.code !== 'SEARCH_NO_SPACE') throw error;
}

export async function removeAlias(client: SearchClient, { index, name }: AliasLeftover): Promise<void> {
  await endReindexTasks(client, name);
  await removeWriteAlias(client, index, name);
}
