import type { SearchDocument } from '../../documents/types.js';
import { compareDocument } from '../../search/documents.js';
import type { FindingKind } from './findings.js';

/** What a row of the live table says of its document. */
export type RowState =
  | { readonly kind: 'indexed'; readonly document: SearchDocument }
  /** No document can be made of the row. */
  | { readonly kind: 'unbuildable' }
  /** The row may not be indexed: removed at its source, or listed as deleted. */
  | { readonly kind: 'left out' }
  | { readonly kind: 'absent' };

/** What API writers did to a record, now and as far as the run that made the index had taken it into account. */
export interface WritersFacts {
  readonly isListed: boolean;
  readonly wasListed: boolean;
  readonly isMarked: boolean;
  readonly wasMarked: boolean;
}

/** A document id with everything that is known of it. */
export interface DocumentCase {
  readonly row: RowState;
  readonly main: SearchDocument | null;
  /** Undefined where there is no filtered index. */
  readonly filtered: SearchDocument | null | undefined;
  /** Whether the document of the main index has a sensitive term. */
  readonly isMatched: boolean;
  /** The run is on record with this document as refused, within the gate's limit. */
  readonly isRejected: boolean;
  /** The filtered index was made with another list of terms. */
  readonly areTermsChanged: boolean;
  readonly facts: WritersFacts;
}

export interface Verdict {
  readonly index: 'main' | 'filtered';
  readonly kind: FindingKind;
  readonly fields: readonly string[];
}

/** What is to be said of one document in both indexes; nothing where all is as it should be. Pure. */
export function judgeDocument(found: DocumentCase): Verdict[] {
  const main = judgeMain(found);
  const filtered = found.filtered === undefined ? null : judgeFiltered(found, found.filtered, main);
  return [main, filtered].filter((verdict) => verdict !== null);
}

function judgeMain({ row, main, facts, isRejected }: DocumentCase): Verdict | null {
  const says = (kind: FindingKind, fields: readonly string[] = []): Verdict => ({
    index: 'main',
    kind,
    fields,
  });
  if (row.kind === 'absent' || row.kind === 'left out') {
    if (main === null) return null;
    return says(facts.isListed && !facts.wasListed ? 'deletedDocumentKept' : 'documentExtra');
  }
  if (main !== null) {
    return row.kind === 'indexed'
      ? judgeContent('main', row.document, main, facts)
      : says('documentChanged', ['(none can be made of the row)']);
  }
  if (isRejected) return says('rejected');
  return says(facts.wasListed && !facts.isListed ? 'deletionWithdrawn' : 'documentMissing');
}

function judgeContent(
  index: Verdict['index'],
  expected: SearchDocument,
  found: SearchDocument,
  facts: WritersFacts,
): Verdict | null {
  const fields = compareDocument(expected, found);
  if (fields.length === 0) return null;
  const isMark = fields.length === 1 && fields[0] === 'mature' && facts.isMarked !== facts.wasMarked;
  if (isMark) return { index, kind: 'markChanged', fields };
  return { index, kind: index === 'main' ? 'documentChanged' : 'filteredChanged', fields };
}

/** The filtered index holds what the main one holds, but for documents with a term: where the main one is wrong, that alone is told. */
function judgeFiltered(
  { row, main: inMain, isMatched, areTermsChanged, facts }: DocumentCase,
  found: SearchDocument | null,
  main: Verdict | null,
): Verdict | null {
  const says = (kind: FindingKind): Verdict => ({ index: 'filtered', kind, fields: [] });
  const isMainRight = inMain !== null && (main === null || main.kind === 'markChanged');
  if (row.kind === 'indexed') {
    if (found !== null) {
      if (isMatched && isMainRight) return says(areTermsChanged ? 'termsChanged' : 'filteredSensitive');
      return judgeContent('filtered', row.document, found, facts);
    }
    if (isMatched || !isMainRight) return null;
    return says(areTermsChanged ? 'termsChanged' : 'filteredMissing');
  }
  if (found === null) return null;
  if (row.kind === 'unbuildable') return says('filteredChanged');
  return says(facts.isListed && !facts.wasListed ? 'deletedDocumentKept' : 'filteredExtra');
}
