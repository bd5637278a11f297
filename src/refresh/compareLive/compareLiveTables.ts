import { verifyPageRows } from '../../limits.js';
import { hasOtherTerms, listRejectedIds } from '../../state/records.js';
import { analyseTerms } from '../../search/termQueries.js';
import { findMatches } from '../../search/matches.js';
import { SortedIds } from '../../search/sortedIds.js';
import { nameDatabase } from '../../postgres/faults.js';
import { pausepoint } from '../../pausepoint.js';
import { readTerms } from '../terms.js';
import { identify } from './catalogRows.js';
import type { Attempt, CompareSessions } from './attempt.js';
import { DocumentsComparison } from './documents.js';
import type { Findings } from './findings.js';
import { LivePages, type LiveRow } from './livePages.js';
import type { ComparedColumns } from './rowColumns.js';
import { encodeRecord, rowFlag } from './rowRecord.js';
import type { SortedRows } from './spill.js';
import type { LiveTable, LiveTarget } from './target.js';

/** A live table whose rows are to be sorted into files. */
export interface ComparedTable {
  readonly live: LiveTable;
  readonly columns: ComparedColumns;
  readonly liveRows: SortedRows;
}

/** Reads all live tables: sorts their rows, and compares those of the main one with their documents. */
export async function compareLiveTables(
  attempt: Attempt,
  sessions: CompareSessions,
  target: LiveTarget,
  tables: readonly ComparedTable[],
  findings: Findings,
): Promise<void> {
  const documents = await openDocuments(attempt, sessions, target, tables[0], findings);
  const progress = { before: 0, total: 0 };
  try {
    for (const [place, table] of tables.entries()) {
      const media = place === 0 ? attempt.definition.media : null;
      const pages = await LivePages.open(sessions.pages, table.live, table.columns, media);
      progress.total += await pages.estimate();
      const onRows = (rows: number): void => {
        const done = progress.before + rows;
        attempt.options.onProgress({
          part: 'live',
          done,
          total: Math.max(progress.total, done),
          unit: 'rows',
        });
      };
      progress.before += await comparePages(pages, table, place === 0 ? documents : null, onRows);
    }
    const { before: done } = progress;
    attempt.options.onProgress({ part: 'live', done, total: done, unit: 'rows' });
  } catch (error) {
    nameDatabase(error, 'API database');
    throw error;
  }
  await documents.compareWithoutId();
}

/** Page by page, the next one on its way while one is compared. @returns the rows of the table. */
async function comparePages(
  pages: LivePages,
  table: ComparedTable,
  documents: DocumentsComparison | null,
  onRows: (rows: number) => void,
): Promise<number> {
  let after: string | null = null;
  let rows = 0;
  let page = await pages.after(null);
  for (;;) {
    const isLast = page.length < verifyPageRows;
    const last = page.at(-1)?.id ?? null;
    const to = isLast ? null : last;
    const next = isLast ? Promise.resolve([]) : pages.after(last);
    next.catch(() => undefined); // awaited below; until then nobody listens
    for (const row of page) table.liveRows.add(toRecord(row, table.columns));
    await documents?.comparePage(page, { after, to });
    rows += page.length;
    onRows(rows);
    await pausepoint('verify.page');
    page = await next;
    if (isLast) return rows;
    after = last;
  }
}

function toRecord({ id, isListed, compared }: LiveRow, columns: ComparedColumns): Buffer {
  const flag = isListed ? rowFlag.deleted : rowFlag.plain;
  return encodeRecord({ flag, id: Buffer.from(id), ...identify(compared, columns) });
}

async function openDocuments(
  { services, definition, options, search }: Attempt,
  { single }: CompareSessions,
  target: LiveTarget,
  main: ComparedTable | undefined,
  findings: Findings,
): Promise<DocumentsComparison> {
  if (main === undefined) throw new Error('a media type without main table');
  const { media } = definition;
  const { state, env } = services;
  const { filtered } = target;
  const terms = await readTerms({ definition, env, cancelled: options.signal });
  const matches =
    filtered === null || terms.count === 0
      ? new SortedIds()
      : await findMatches(search, {
          index: target.main.name,
          idField: media.main.idColumn,
          terms: await analyseTerms(
            search,
            target.main.name,
            media.index.sensitiveTermFields,
            terms,
            options.signal,
          ),
          onTermsSearched: (done, total) => options.onProgress({ part: 'terms', done, total, unit: 'terms' }),
          signal: options.signal,
        });
  const { runId } = target.main;
  return new DocumentsComparison({
    search,
    api: single,
    pages: await LivePages.open(single, main.live, main.columns, media),
    media,
    main: target.main,
    filtered,
    matches,
    areTermsChanged: filtered?.runId != null && (await hasOtherTerms(state, filtered.runId, terms.digest)),
    rejected: new Set(runId === null ? [] : await listRejectedIds(state, runId)),
    findings,
  });
}
