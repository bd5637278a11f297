import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FreshetError, messageOf } from '../../errors.js';
import { verifyBufferBytes, verifyPartitionBytesMax, verifyPartitions } from '../../limits.js';
import { decodeRecord, hashBytes, haveSameValues, rowFlag, type RowRecord } from './rowRecord.js';

/**
 * Rows of both sides come in different orders, and neither side fits into memory: they are sorted into files by a hash of their key, and each
 * pair of files is compared in memory. Sequential on both servers and on the disk here; a sort of wide rows by key on a server would need
 * its disk, an index scan by random keys hours (900 million rows).
 */

/** A file without a name: it is gone with the process, however that ends. */
class NamelessFile {
  readonly #descriptor: number;
  readonly #buffer = Buffer.allocUnsafeSlow(verifyBufferBytes);
  #buffered = 0;
  #written = 0;

  constructor() {
    const path = join(tmpdir(), `freshet-verify-${randomUUID()}`);
    this.#descriptor = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  get bytes(): number {
    return this.#written + this.#buffered;
  }

  append(record: Buffer): void {
    if (this.#buffered + record.length > this.#buffer.length) this.#flush();
    if (record.length > this.#buffer.length) this.#write(record);
    else this.#buffered += record.copy(this.#buffer, this.#buffered);
  }

  readAll(): Buffer {
    this.#flush();
    const bytes = Buffer.allocUnsafeSlow(this.#written);
    for (let at = 0; at < bytes.length;) {
      at += readSync(this.#descriptor, bytes, at, bytes.length - at, at);
    }
    return bytes;
  }

  /** Whole records, some at a time. */
  *records(): Generator<Buffer> {
    this.#flush();
    let rest = Buffer.alloc(0);
    for (let at = 0; at < this.#written;) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(verifyPartitionBytesMax, this.#written - at));
      const read = readSync(this.#descriptor, chunk, 0, chunk.length, at);
      at += read;
      const bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
      let start = 0;
      while (start + 4 <= bytes.length && start + bytes.readUInt32LE(start) <= bytes.length) {
        const end = start + bytes.readUInt32LE(start);
        yield bytes.subarray(start, end);
        start = end;
      }
      rest = bytes.subarray(start);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      at += writeSync(this.#descriptor, bytes, at, bytes.length - at, this.#written + at);
    }
    this.#written += bytes.length;
  }
}

/** The rows of one side, sorted into files. Close it. */
export class SortedRows {
  /** Made when there is something to write. */
  readonly #files: (NamelessFile | undefined)[] = [];
  #rows = 0;

  /** @param depth of how many levels of files this is the next. */
  constructor(
    private readonly definition: string,
    private readonly depth = 0,
  ) {}

  get rows(): number {
    return this.#rows;
  }

  /** Takes an encoded record. Throws COMPARISON_NO_SPACE. */
  add(record: Buffer): void {
    this.#rows += 1;
    const hash = hashBytes(decodeRecord(record, 0).key);
    const place = Math.floor(hash / verifyPartitions ** this.depth) % verifyPartitions;
    try {
      (this.#files[place] ??= new NamelessFile()).append(record);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  bytesOf(place: number): number {
    return this.#files[place]?.bytes ?? 0;
  }

  readAll(place: number): Buffer {
    return this.#files[place]?.readAll() ?? Buffer.alloc(0);
  }

  /** One file, sorted into files again by other bits of the hash. */
  split(place: number): SortedRows {
    const parts = new SortedRows(this.definition, this.depth + 1);
    try {
      for (const record of this.#files[place]?.records() ?? []) parts.add(record);
      return parts;
    } catch (error) {
      parts.close();
      throw error;
    }
  }

  get mayBeSplit(): boolean {
    return verifyPartitions ** (this.depth + 2) <= 2 ** 32;
  }

  close(): void {
    for (const file of this.#files.splice(0)) file?.close();
  }

  #explain(error: unknown): unknown {
    const { code } = error as { code?: string };
    if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EMFILE' && code !== 'EACCES' && code !== 'ENOENT')
      return error;
    return new FreshetError(
      'COMPARISON_NO_SPACE',
      `The folder for temporary files ${tmpdir()} cannot take the rows of the comparison: ${messageOf(error)}.`,
      { definition: this.definition },
    );
  }
}

/** A record of one side and its partner. At least one is there. */
export interface RowPair {
  readonly catalog: RowRecord | null;
  readonly live: RowRecord | null;
}

/** All pairs that are not simply equal. The records are views that do not last: what is kept of them has to be copied. */
export function* unequalPairs(
  catalog: SortedRows,
  live: SortedRows,
  bytesMax = verifyPartitionBytesMax,
): Generator<RowPair> {
  for (let place = 0; place < verifyPartitions; place += 1) {
    const largest = Math.max(catalog.bytesOf(place), live.bytesOf(place));
    if (largest === 0) continue;
    if (largest <= bytesMax || !catalog.mayBeSplit) {
      yield* joinInMemory(catalog.readAll(place), live.readAll(place));
      continue;
    }
    const parts: SortedRows[] = [];
    try {
      for (const side of [catalog, live]) parts.push(side.split(place));
      yield* unequalPairs(parts[0] as SortedRows, parts[1] as SortedRows, bytesMax);
    } finally {
      parts.forEach((side) => side.close());
    }
  }
}

function* joinInMemory(catalog: Buffer, live: Buffer): Generator<RowPair> {
  const places = new Map<string, number[] | number>();
  for (let at = 0; at < live.length;) {
    const record = decodeRecord(live, at);
    const key = record.key.toString('latin1');
    const known = places.get(key);
    if (known === undefined) places.set(key, at);
    else places.set(key, [...(typeof known === 'number' ? [known] : known), at]);
    at = record.next;
  }
  for (let at = 0; at < catalog.length;) {
    const record = decodeRecord(catalog, at);
    at = record.next;
    const place = takeFirst(places, record.key.toString('latin1'));
    const partner = place === null ? null : decodeRecord(live, place);
    if (partner === null || isUnequal(record, partner)) yield { catalog: record, live: partner };
  }
  for (const left of places.values()) {
    for (const at of typeof left === 'number' ? [left] : left) {
      yield { catalog: null, live: decodeRecord(live, at) };
    }
  }
}

function takeFirst(places: Map<string, number[] | number>, key: string): number | null {
  const known = places.get(key);
  if (known === undefined) return null;
  if (typeof known === 'number' || known.length === 1) places.delete(key);
  return typeof known === 'number' ? known : (known.shift() ?? null);
}

function isUnequal(catalog: RowRecord, live: RowRecord): boolean {
  if (live.flag === rowFlag.deleted || catalog.flag === rowFlag.leftOut) return true;
  return !haveSameValues(catalog, live);
}
