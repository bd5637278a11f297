import { resolveSecret } from '../../config/secrets.js';
import { removeWriteAlias } from '../../search/index.js';
import { populateFilteredIndex, type FilteredIndexProgress } from '../../search/filteredIndex.js';
import { writeAlias } from '../../search/names.js';
import { loadTerms, TermList } from '../../search/terms.js';
import { listFilteredRanges, recordFilteredRange } from '../../state/records.js';
import type { RunContext } from '../context.js';
import { indexNamesOf } from '../indexNames.js';
import type { Report, Step } from '../phase.js';
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
    onRangeFinished: (range, documents) =>
      recordFilteredRange(state, run.id, { ...range, documents, termsDigest: terms.digest }),
    onProgress: (progress) => reportPart(progress, report),
    idField: definition.media.main.idColumn,
  });
  await removeWriteAlias(search, names.filtered);
  return { main, matched, filtered };
};

function reportPart(progress: FilteredIndexProgress, report: Report): void {
  if (progress.part === 'search') report({ done: progress.terms, total: progress.termsTotal, unit: 'terms' });
  else report({ done: progress.documents, total: progress.documentsTotal, unit: 'documents' });
}

/** The list is read anew by every try; it goes into no state and no log. */
async function readTerms({ definition, env }: RunContext): Promise<TermList> {
  const configured = definition.environment.sensitiveTerms;
  if (configured === null) return new TermList([]);
  const keyPath = `environments.${definition.environment.name}.sensitiveTerms.from`;
  const from = await resolveSecret(configured.from, env, keyPath);
  return loadTerms({ from, allowEmpty: configured.allowEmpty });
}
