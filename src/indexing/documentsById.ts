import type { MediaConfig } from '../config/types.js';
import type { SearchDocument } from '../documents/types.js';
import type { QualifiedName } from '../postgres/identifiers.js';
import { selectionOf } from './indexSlice.js';
import { openReadSession, openRowSource } from './rowSource.js';

export interface DocumentsByIdOptions {
  readonly apiUrl: string;
  readonly media: MediaConfig;
  readonly table: QualifiedName;
  /** With a run, deleted and sensitive media are what the run has applied; null = the tables as they are. */
  readonly runId: string | null;
  readonly ids: readonly bigint[];
}

/** What one row should be in the index: its document, or null where it is not indexed (removed, deleted). */
export interface ExpectedDocument {
  readonly id: string;
  readonly document: SearchDocument;
}

/** Builds the documents of single rows, as a worker would. Rows that are not indexed, and rows that no longer exist, are left out. */
export async function buildDocumentsById(options: DocumentsByIdOptions): Promise<ExpectedDocument[]> {
  if (options.ids.length === 0) return [];
  const session = await openReadSession(options.apiUrl, 'freshet documents');
  try {
    const selection = selectionOf(options.media, options.table, options.runId);
    const source = await openRowSource(session, selection, { kind: 'rows', rowIds: options.ids });
    const documents: ExpectedDocument[] = [];
    for await (const lines of source.lines(new AbortController().signal)) {
      for (const line of lines) {
        const read = source.read(line);
        if (read.skipped !== null) continue;
        const document = options.media.document.build(read.row, { sensitive: read.sensitive });
        documents.push({ id: read.id, document });
      }
    }
    return documents;
  } finally {
    await session.end().catch(() => undefined);
  }
}
