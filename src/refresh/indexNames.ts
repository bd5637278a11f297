import { filteredIndexName, indexName, writeAlias } from '../search/names.js';
import type { RunContext } from './context.js';

export interface IndexNames {
  readonly main: string;
  readonly filtered: string;
  /** What the run's workers write through; removed when the reindex is over. */
  readonly writeAlias: string;
}

/** The names of a run's indexes. The filtered-index flow reads the index with `originSuffix` and builds the one with `destinationSuffix`. */
export function indexNamesOf({ definition, run }: RunContext): IndexNames {
  const { alias } = definition.media.index;
  const { indexSuffix, originSuffix, destinationSuffix } = run.parameters;
  const main = indexName(alias, originSuffix ?? indexSuffix);
  return {
    main,
    filtered: filteredIndexName(alias, destinationSuffix ?? indexSuffix),
    writeAlias: writeAlias(main),
  };
}
