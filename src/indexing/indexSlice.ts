import type { MediaConfig } from '../config/types.js';
import { FreshetError, messageOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { pausepoint } from '../pausepoint.js';
import { explainDatabaseFault, nameDatabase } from '../postgres/faults.js';
import type { QualifiedName } from '../postgres/identifiers.js';
import { runSessionName } from '../postgres/sessionNames.js';
import type { SearchClient } from '../search/client.js';
import { BulkWriter, type BulkLimits } from './bulkWriter.js';
import { openReadSession, openRowSource, type RowSource } from './rowSource.js';
import type { Reject, Slice, SliceCounts } from './slice.js';
import type { RowSelection } from './sliceQuery.js';

export interface IndexSliceOptions {
  readonly apiUrl: string;
  readonly client: SearchClient;
  readonly media: MediaConfig;
  readonly table: QualifiedName;
  readonly slice: Slice;
  /** With a run, deleted and sensitive media are what the run has applied; null = the tables as they are. */
  readonly runId: string | null;
  /** Index or alias that is written to. */
  readonly target: string;
  readonly requireAlias: boolean;
  /** More rejects than this fail the slice. */
  readonly rejectsMax: number;
  readonly onReject: (reject: Reject) => void;
  /** Called as rows go by, with the rows that the planner expects in the slice. */
  readonly onProgress: (counts: SliceCounts, rowsExpected: number) => void;
  readonly signal: AbortSignal;
  readonly bulkLimits?: Partial<BulkLimits>;
}

/** What is read of `table` for the documents of `media`. */
export function selectionOf(media: MediaConfig, table: QualifiedName, runId: string | null): RowSelection {
  return {
    table,
    idColumn: media.main.idColumn,
    columns: media.document.columns,
    removedColumn: media.removedColumn,
    deletedMediaTable: media.main.deletedMediaTable,
    sensitiveMediaTable: media.sensitiveMediaTable,
    runId,
  };
}

/**
 * Turns the rows of a slice into documents. Memory is flat: rows are streamed and a few bulk requests are under way.
 * Repeating it is harmless, also after it died half-way.
 * @throws REJECTS_OVER_LIMIT, BULK_REFUSED, BULK_RETRIES_EXCEEDED, DATABASE_UNREACHABLE, SESSION_LOST; the signal's reason when that ended it.
 */
export async function indexSlice(options: IndexSliceOptions): Promise<SliceCounts> {
  try {
    return await readAndWrite(options);
  } catch (error) {
    nameDatabase(error, 'API database');
    throw explainDatabaseFault(error);
  }
}

async function readAndWrite(options: IndexSliceOptions): Promise<SliceCounts> {
  const { runId } = options;
  // A successor of the orchestrator ends it, and so does a cancellation: a backend notices only at its next row that its worker is gone.
  const name = runId === null ? 'freshet worker' : runSessionName('freshet worker', runId);
  const session = await openReadSession(options.apiUrl, name);
  try {
    const selection = selectionOf(options.media, options.table, options.runId);
    const source = await openRowSource(session, selection, options.slice);
    await pausepoint('worker.begun');
    return await pumpRows(source, options);
  } finally {
    // While rows are still coming this cuts the connection, which ends the query.
    await session.end().catch(() => undefined);
  }
}

interface SkipCounts {
  read: number;
  removed: number;
  deleted: number;
}

async function pumpRows(source: RowSource, options: IndexSliceOptions): Promise<SliceCounts> {
  const writer = openWriter(options);
  const skips: SkipCounts = { read: 0, removed: 0, deleted: 0 };
  const report = (): void => options.onProgress(countsOf(skips, writer, source), source.estimatedRows);
  report();
  for await (const lines of source.lines(writer.ended)) {
    for (const line of lines) {
      const room = indexLine(line, source, writer, skips, options.media);
      if (room !== undefined) await room;
    }
    failpoint('worker.rows');
    await pausepoint('worker.rows');
    report();
  }
  await writer.close();
  failpoint('worker.written');
  report();
  return checkCounts(countsOf(skips, writer, source));
}

function openWriter(options: IndexSliceOptions): BulkWriter {
  const { client, target: name, requireAlias, rejectsMax, onReject, signal, bulkLimits } = options;
  return new BulkWriter({
    client,
    name,
    requireAlias,
    rejectsMax,
    onReject,
    signal,
    ...(bulkLimits === undefined ? {} : { limits: bulkLimits }),
  });
}

/** Indexes, skips or rejects one row; gives a promise only when there is to wait for room. */
function indexLine(
  line: Buffer,
  source: RowSource,
  writer: BulkWriter,
  skips: SkipCounts,
  { document }: MediaConfig,
): Promise<void> | undefined {
  skips.read += 1;
  let id: string;
  let json: string;
  try {
    const read = source.read(line);
    if (read.skipped !== null) {
      skips[read.skipped] += 1;
      return undefined;
    }
    id = read.id;
    json = JSON.stringify(document.build(read.row, { sensitive: read.sensitive }));
  } catch (error) {
    writer.reject(source.idOf(line), `no document could be built: ${messageOf(error)}`);
    return undefined;
  }
  return writer.add(id, json);
}

function countsOf(skips: SkipCounts, writer: BulkWriter, source: RowSource): SliceCounts {
  return {
    ...skips,
    indexed: writer.indexed,
    rejected: writer.rejected,
    datesLeftOut: source.datesLeftOut(),
  };
}

/** I3: no row may be lost between reading and the engine's answers. */
function checkCounts(counts: SliceCounts): SliceCounts {
  const { read, removed, deleted, indexed, rejected } = counts;
  if (read !== removed + deleted + indexed + rejected) {
    throw new FreshetError(
      'INTERNAL',
      `${read} rows were read, but ${removed} removed + ${deleted} deleted + ${indexed} indexed + ${rejected} rejected.`,
    );
  }
  return counts;
}
