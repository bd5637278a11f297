import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { copyFailpointRows } from '../limits.js';
import { pausepoint } from '../pausepoint.js';
import { copyLines } from '../postgres/copyText.js';
import type { RowCounts } from './counts.js';
import { OutputChunk } from './outputChunk.js';
import type { RowRewriter } from './rowRewriter.js';
import type { SentRows } from './sentRows.js';

export interface ZipOptions {
  /** For messages: the upstream table. */
  readonly table: string;
  /** Fields at the beginning of both lines that must agree. */
  readonly narrowCount: number;
  readonly firstNewId: bigint;
  readonly rewrite: RowRewriter | null;
  readonly counts: RowCounts;
  readonly sent: SentRows;
  readonly onBatch: () => void;
}

const tab = 0x09;
const newline = 0x0a;
/** `t`, as COPY writes true. */
const yes = 0x74;
const backslash = 0x5c;

/**
 * Goes through the wide scan and the key join side by side and gives the lines for the temp table: `id, kept…, ` and the row's own bytes.
 * The narrow fields of both are compared row by row, byte by byte: without that check scans in different orders gave 1 right id of 1.9
 * million, silently. Throws SCAN_ORDER_CHANGED.
 */
export async function* zipRows(
  rows: AsyncIterable<Buffer>,
  joined: AsyncIterable<Buffer>,
  options: ZipOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const partners = new LineCursor(copyLines(joined));
  const writer = new RowWriter(options);
  for await (const lines of copyLines(rows)) {
    const chunk = new OutputChunk(lines);
    const sentBefore = options.counts.copied;
    for (const line of lines) {
      const partner = partners.next() ?? (await partners.nextBatch());
      if (partner === null) throw orderChanged(options, 'the key join ended before the rows');
      writer.write(line, partner, chunk);
    }
    options.onBatch();
    await pausepoint('copy.rows');
    if (chunk.length === 0) continue;
    const bytes = chunk.take();
    options.sent.remember(bytes, options.counts.copied - sentBefore);
    options.counts.bytes += bytes.length;
    yield bytes;
  }
  if ((partners.next() ?? (await partners.nextBatch())) !== null) {
    throw orderChanged(options, 'the rows ended before the key join');
  }
}

/** Lines one after the other, without awaiting anything while a batch lasts. */
class LineCursor {
  #lines: Buffer[] = [];
  #at = 0;

  constructor(private readonly batches: AsyncIterator<Buffer[]>) {}

  /** Null: the batch is used up. */
  next(): Buffer | null {
    const line = this.#lines[this.#at] ?? null;
    this.#at += 1;
    return line;
  }

  /** The first line of the next batch; null: there is none. */
  async nextBatch(): Promise<Buffer | null> {
    const batch = (await this.batches.next()) as IteratorResult<Buffer[], undefined>;
    if (batch.done === true) return null;
    this.#lines = batch.value;
    this.#at = 0;
    return this.next();
  }
}

/** Writes rows with their ids, and counts them. */
class RowWriter {
  #nextId: bigint;

  constructor(private readonly options: ZipOptions) {
    this.#nextId = options.firstNewId;
  }

  write(line: Buffer, partner: Buffer, chunk: OutputChunk): void {
    const { counts, rewrite } = this.options;
    counts.read += 1;
    if (counts.read % copyFailpointRows === 0) failpoint('copy.middle');
    const flag = this.#assertSameKey(line, partner);
    if (partner[flag] === yes) {
      counts.leftOutDeleted += 1;
      return;
    }
    const rewritten = rewrite === null ? line : rewrite(line);
    if (rewritten === null) {
      counts.leftOutByTransform += 1;
      return;
    }
    if (rewritten !== line) counts.changed += 1;
    this.#writeId(partner, flag + 2, chunk);
    chunk.addByte(tab);
    chunk.add(rewritten, 0);
    chunk.addByte(newline);
    counts.copied += 1;
  }

  /** The live id and the kept columns as the join gives them, or a new id and the kept columns' defaults. */
  #writeId(partner: Buffer, start: number, chunk: OutputChunk): void {
    const { counts } = this.options;
    if (partner[start] !== backslash) {
      counts.idsKept += 1;
      chunk.add(partner, start);
      return;
    }
    counts.idsNew += 1;
    chunk.addText(String(this.#nextId));
    this.#nextId += 1n;
    chunk.add(partner, start + 2);
  }

  /** Compares the narrow fields; gives where the field after them begins in `partner`. */
  #assertSameKey(line: Buffer, partner: Buffer): number {
    let end = -1;
    for (let i = 0; i < this.options.narrowCount; i += 1) end = partner.indexOf(tab, end + 1);
    const isWhole = line.length === end || line[end] === tab;
    if (!isWhole || partner.compare(line, 0, end, 0, end) !== 0) {
      throw orderChanged(this.options, `they differ at row ${this.options.counts.read}`);
    }
    return end + 1;
  }
}

function orderChanged({ table }: ZipOptions, what: string): FreshetError {
  return new FreshetError(
    'SCAN_ORDER_CHANGED',
    `Two scans of ${table} in one snapshot did not give the same rows in the same order: ${what}.`,
    { table },
  );
}
