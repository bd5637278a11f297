import { FreshetError, messageOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { reindexBatchDocs, reindexTasksInFlight } from '../limits.js';
import type { SearchClient } from './client.js';
import { countDocuments, readIdBounds, refreshIndex } from './counts.js';
import { runLanes } from './lanes.js';
import { findMatches } from './matches.js';
import { requireIndex } from './readIndex.js';
import { planRanges, type DocumentIdRange } from './reindexRanges.js';
import { endReindexTasks, runReindex } from './reindexTask.js';
import type { SortedIds } from './sortedIds.js';
import { analyseTerms, type AnalysedTerms } from './termQueries.js';
import type { TermList } from './terms.js';

export type { DocumentIdRange } from './reindexRanges.js';

export interface FilteredIndexJob {
  /** The index that is read; nobody writes to it. */
  readonly main: string;
  /** The index that is filled. */
  readonly filtered: string;
  /** An alias of the filtered index that is written through, so that no task of a predecessor can begin once it is gone; null = none. */
  readonly writeAlias: string | null;
  /** Fields whose `raw` sub-field is searched. */
  readonly fields: readonly string[];
  readonly terms: TermList;
  /** Limit of all tasks together, documents per second; 0 = unlimited. */
  readonly docsPerSecond: number;
  /** Ranges that an earlier try finished *with the same terms* (`terms.digest`); with other terms the filtered index has to be made anew. */
  readonly finishedRanges: readonly DocumentIdRange[];
  /** A range is done; awaited, so that it can be recorded before the next begins. */
  readonly onRangeFinished: (range: DocumentIdRange, documents: number) => Promise<void>;
  readonly onProgress?: (progress: FilteredIndexProgress) => void;
  readonly signal?: AbortSignal;
  /** The numeric field that is the document's id. */
  readonly idField?: string;
}

export type FilteredIndexProgress =
  | { readonly part: 'search'; readonly terms: number; readonly termsTotal: number }
  | { readonly part: 'copy'; readonly documents: number; readonly documentsTotal: number };

export interface FilteredIndexResult {
  /** Documents of the main index. */
  readonly main: number;
  /** Documents with at least one term. */
  readonly matched: number;
  /** Documents of the filtered index: the caller checks that `filtered + matched = main` (invariant I5). */
  readonly filtered: number;
  /** Terms of which the analysis leaves no word, so that they can match nothing. */
  readonly ignoredTerms: number;
}

/**
 * Fills the filtered index with all documents of the main index that have no sensitive term. First the ids of those that have one are searched
 * for, then the engine copies the others range by range, which can be resumed and is not limited in the number of terms. (One `_reindex`
 * with all terms in its query, the predecessor's way, has the engines' clause limit and begins anew after every fault.)
 * When the signal aborts, tasks in the cluster are cancelled too. Throws FILTERED_INDEX_FAILED and the search cluster's errors.
 */
export async function populateFilteredIndex(
  client: SearchClient,
  job: FilteredIndexJob,
): Promise<FilteredIndexResult> {
  const { main, filtered, signal } = job;
  const idField = job.idField ?? 'id';
  await endReindexTasks(client, destinationOf(job));
  // A reindex into a missing index would create one, without our mapping.
  await requireIndex(client, filtered);
  await refreshIndex(client, main, signal);
  const terms = await analyseTerms(client, main, job.fields, job.terms, signal);
  const onTermsSearched = (done: number, total: number): void =>
    job.onProgress?.({ part: 'search', terms: done, termsTotal: total });
  const matches = await findMatches(client, { index: main, idField, terms, onTermsSearched, signal });
  failpoint('filtered-index.matched');
  await copyOthers(client, job, idField, matches);
  // A predecessor that was only frozen may have begun tasks beside ours: none may be left when the caller takes the write alias away.
  await endReindexTasks(client, destinationOf(job));
  await refreshIndex(client, filtered, signal);
  return {
    main: await countDocuments(client, main, signal),
    matched: matches.size,
    filtered: await countDocuments(client, filtered, signal),
    ignoredTerms: ignoredIn(terms),
  };
}

/** A term counts as ignored when no field's analysis finds a word in it. */
function ignoredIn(terms: readonly AnalysedTerms[]): number {
  return terms.length === 0 ? 0 : Math.min(...terms.map(({ ignored }) => ignored));
}

function destinationOf({ writeAlias, filtered }: FilteredIndexJob): string {
  return writeAlias ?? filtered;
}

async function copyOthers(
  client: SearchClient,
  job: FilteredIndexJob,
  idField: string,
  matches: SortedIds,
): Promise<void> {
  const bounds = await readIdBounds(client, job.main, idField);
  if (bounds === null) return;
  const documents = await countDocuments(client, job.main, job.signal);
  const ranges = planRanges({ bounds, documents, excluded: matches, finished: job.finishedRanges });
  const queue = ranges.values();
  let copied = job.finishedRanges.length === 0 ? 0 : await countCopied(client, job.filtered);
  try {
    await runLanes(Math.min(reindexTasksInFlight, ranges.length), job.signal, async (signal) => {
      for (const range of queue) {
        const written = await copyRange(client, job, idField, range, matches, signal);
        await job.onRangeFinished(range, written);
        copied += written;
        job.onProgress?.({ part: 'copy', documents: copied, documentsTotal: documents - matches.size });
      }
    });
  } catch (error) {
    throw await endedAfter(error, client, job);
  }
}

/** Ends the tasks that run on in the cluster after a failure or an abort; says so where that fails too (the next start tries again). */
async function endedAfter(error: unknown, client: SearchClient, job: FilteredIndexJob): Promise<unknown> {
  try {
    await endReindexTasks(client, destinationOf(job));
    return error;
  } catch (fault) {
    if (job.signal?.aborted === true) return error;
    return new FreshetError(
      error instanceof FreshetError && error.code === 'SEARCH_NO_SPACE'
        ? error.code
        : 'FILTERED_INDEX_FAILED',
      `${messageOf(error)} Its tasks in the cluster could not be ended either: ${messageOf(fault)}`,
    );
  }
}

async function countCopied(client: SearchClient, filtered: string): Promise<number> {
  await refreshIndex(client, filtered);
  return countDocuments(client, filtered);
}

async function copyRange(
  client: SearchClient,
  job: FilteredIndexJob,
  idField: string,
  { startId, endId }: DocumentIdRange,
  matches: SortedIds,
  signal: AbortSignal,
): Promise<number> {
  const excluded = [...matches.between(startId, endId)];
  const docsPerSecond =
    job.docsPerSecond === 0 ? 0 : Math.max(1, Math.floor(job.docsPerSecond / reindexTasksInFlight));
  const request = {
    from: job.main,
    to: destinationOf(job),
    isAlias: job.writeAlias !== null,
    query: {
      bool: {
        filter: [{ range: { [idField]: { gte: startId, lte: endId } } }],
        ...(excluded.length === 0 ? {} : { must_not: [{ terms: { [idField]: excluded } }] }),
      },
    },
    // The engine pauses after each batch: smaller batches keep a low rate even.
    batchDocs: docsPerSecond === 0 ? reindexBatchDocs : Math.min(reindexBatchDocs, docsPerSecond),
    docsPerSecond,
    what: `ids ${startId} to ${endId}`,
  };
  return runReindex(client, request, signal);
}
