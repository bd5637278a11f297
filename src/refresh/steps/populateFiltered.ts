import { failpoint } from '../../failpoints.js';
import { pausepoint } from '../../pausepoint.js';
import { removeWriteAlias } from '../../search/index.js';
import { populateFilteredIndex, type FilteredIndexProgress } from '../../search/filteredIndex.js';
import { writeAlias } from '../../search/names.js';
import { listFilteredRanges, recordFilteredRange } from '../../state/records.js';
import { indexNamesOf } from '../indexNames.js';
import type { Report, Step } from '../phase.js';
import { readTerms } from '../terms.js';
import { createMarked } from './createIndexes.js';

export interface FilteredSummary {
  readonly main: number;
  readonly matched: number;
  readonly filtered: number;
}

/** Fills the filtered index with the main index' documents that contain no sensitive term. Finished ranges of ids are not copied again. */
export const populateFiltered: Step<FilteredSummary> = async (context, report) => {
  const { state, run, definition, search } = context;
  const names = indexNamesOf(context);
  const terms = await readTerms(context);
  const finishedRanges = await listFilteredRanges(state, run.id, terms.digest);
  // Ranges that another list of terms was applied to do not count: the index is made anew then.
  await createMarked(context, names.filtered, 'filtered', finishedRanges.length > 0 ? 'reuse' : 'replace');
  const { main, matched, filtered } = await populateFilteredIndex(search, {
    main: names.main,
    filtered: names.filtered,
    writeAlias: writeAlias(names.filtered),
    fields: definition.media.index.sensitiveTermFields,
    terms,
    docsPerSecond: definition.environment.search.reindexDocsPerSecond,
    finishedRanges,
    onRangeFinished: async (range, documents) => {
      failpoint('filtered-index.copied');
      await pausepoint('filtered-index.copied');
      await recordFilteredRange(state, run.id, { ...range, documents, termsDigest: terms.digest });
      failpoint('filtered-index.range');
    },
    signal: context.cancelled,
    onProgress: (progress) => reportPart(progress, report),
    idField: definition.media.main.idColumn,
  });
  failpoint('filtered-index.filled');
  await removeWriteAlias(search, names.filtered);
  failpoint('filtered-index.closed');
  return { main, matched, filtered };
};

function reportPart(progress: FilteredIndexProgress, report: Report): void {
  if (progress.part === 'search') report({ done: progress.terms, total: progress.termsTotal, unit: 'terms' });
  else report({ done: progress.documents, total: progress.documentsTotal, unit: 'documents' });
}
