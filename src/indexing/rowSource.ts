import { to as copyTo } from 'pg-copy-streams';
import type { SourceRow } from '../documents/types.js';
import { FreshetError, messageOf } from '../errors.js';
import { copyLines, decodeFields } from '../postgres/copyText.js';
import { openSession, type Session } from '../postgres/session.js';
import { decoderOf, type ValueDecoder } from './columnValues.js';
import { rowMark, selectSlice, selectTypes, type RowSelection } from './sliceQuery.js';
import type { Slice } from './slice.js';

/** What a line of the source says: the row, or why it is skipped. */
export type SourceLine =
  | { readonly skipped: 'removed' | 'deleted' }
  | { readonly skipped: null; readonly id: string; readonly sensitive: boolean; readonly row: SourceRow };

/** The rows of one slice, streamed. */
export interface RowSource {
  /** Rows that the planner expects; for progress only. */
  readonly estimatedRows: number;
  /** Batches of lines, as the network gives them. Reading slowly slows the database down; nothing piles up. */
  lines(signal: AbortSignal): AsyncGenerator<Buffer[], void, undefined>;
  /** Reads one line. Throws when a value cannot be read; `idOf` names the row then. */
  read(line: Buffer): SourceLine;
  idOf(line: Buffer): string;
  /** Dates that became null so far. */
  datesLeftOut(): number;
}

const sensitiveByte = rowMark.sensitive.charCodeAt(0);
const removedByte = rowMark.removed.charCodeAt(0);
const deletedByte = rowMark.deleted.charCodeAt(0);
const removedLine: SourceLine = { skipped: 'removed' };
const deletedLine: SourceLine = { skipped: 'deleted' };

/** Opens a session that reads rows: read only, dates as ISO in UTC. */
export async function openReadSession(apiUrl: string, applicationName: string): Promise<Session> {
  const session = await openSession(apiUrl, { applicationName, called: 'API database' });
  await session.query(
    `set default_transaction_read_only = on; set timezone = 'UTC'; set datestyle = 'ISO'; set extra_float_digits = 1`,
  );
  return session;
}

/**
 * Checks that table, columns and sets are there and may be read.
 * @returns the types' oids of the id column and of the selected columns.
 * @throws TABLE_MISSING, COLUMN_MISSING with their names.
 */
export async function readColumnTypes(session: Session, selection: RowSelection): Promise<number[]> {
  try {
    const { fields } = await session.query(selectTypes(selection));
    return fields.slice(0, -1).map((field) => field.dataTypeID);
  } catch (error) {
    throw missingPart(error, selection);
  }
}

function missingPart(error: unknown, { table }: RowSelection): unknown {
  const code = (error as { code?: string }).code;
  const details = { database: 'API database', table: `${table.schema}.${table.name}` };
  const message = `${details.table} in the API database cannot be read: ${messageOf(error)}.`;
  if (code === '42P01' || code === '3F000') return new FreshetError('TABLE_MISSING', message, details);
  if (code === '42703') return new FreshetError('COLUMN_MISSING', message, { ...details, column: 'named' });
  return error;
}

/** Opens the rows of `slice`. The session is the source's alone until the last line was read. */
export async function openRowSource(
  session: Session,
  selection: RowSelection,
  slice: Slice,
): Promise<RowSource> {
  const reader = await openLineReader(session, selection);
  const estimatedRows = await estimateRows(session, selection, slice);
  return {
    ...reader,
    estimatedRows,
    lines: (signal) => streamLines(session, selectSlice(selection, slice), signal),
  };
}

/** How lines of a selection are read: mark, id and the selection's columns; what follows them in a line is left alone. */
export type LineReader = Pick<RowSource, 'read' | 'idOf' | 'datesLeftOut'>;

/** Prepares the reading of lines. Throws TABLE_MISSING, COLUMN_MISSING. */
export async function openLineReader(session: Session, selection: RowSelection): Promise<LineReader> {
  const [, ...types] = await readColumnTypes(session, selection);
  let datesLeftOut = 0;
  const decoders = types.map((oid) => decoderOf(oid, () => (datesLeftOut += 1)));
  return {
    read: (line) => readLine(line, selection.columns, decoders),
    idOf: (line) => decodeFields(line)[1] ?? '',
    datesLeftOut: () => datesLeftOut,
  };
}

async function estimateRows(session: Session, selection: RowSelection, slice: Slice): Promise<number> {
  const sql = `explain (format json) ${selectSlice({ ...selection, columns: [] }, slice)}`;
  const { rows } = await session.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(sql);
  return rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0;
}

async function* streamLines(
  session: Session,
  select: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer[], void, undefined> {
  const stream = session.query(copyTo(`copy (${select}) to stdout`));
  // A connection that breaks after the reader left also emits `error`; without a listener the process would end.
  stream.on('error', () => undefined);
  const stop = (): void => void stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    yield* copyLines(stream as AsyncIterable<Buffer>);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function readLine(line: Buffer, columns: readonly string[], decoders: readonly ValueDecoder[]): SourceLine {
  const mark = line[0];
  if (mark === removedByte) return removedLine;
  if (mark === deletedByte) return deletedLine;
  const fields = decodeFields(line);
  const row: Record<string, unknown> = {};
  for (let i = 0; i < columns.length; i += 1) {
    const text = fields[i + 2] ?? null;
    row[columns[i] as string] = text === null ? null : (decoders[i] as ValueDecoder)(text);
  }
  return { skipped: null, id: fields[1] ?? '', sensitive: mark === sensitiveByte, row };
}
