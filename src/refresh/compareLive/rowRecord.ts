import { hash } from 'node:crypto';

/**
 * What is kept of a row until both sides are known: key, identifier, id, a digest of the compared values, and 16 bits of each value, which name
 * the columns that differ. Values are the bytes that COPY writes: equal values of one type have equal bytes.
 */
export interface RowRecord {
  /** A letter of `rowFlag`. */
  readonly flag: number;
  /** The key's fields as COPY writes them, parted by tabs. */
  readonly key: Buffer;
  /** The identifier by which deletions are listed; empty where the table has none. */
  readonly identifier: Buffer;
  /** As text; empty for a row of the catalog. */
  readonly id: Buffer;
  /** `digestBytes` of the compared values, then two bytes for each column. */
  readonly digests: Buffer;
}

/** What is known of a row besides its values. */
export const rowFlag = {
  plain: 0x2d,
  /** In the catalog since the snapshot of the live generation. */
  new: 0x6e,
  /** Changed in the catalog since. */
  updated: 0x75,
  /** Changed in the catalog since, and left out of the copy now. */
  leftOut: 0x6c,
  /** A live row whose identifier is listed as deleted. */
  deleted: 0x64,
} as const;

export const digestBytes = 8;
const headBytes = 12;

/** One allocation: total length, flag, lengths, and the parts. */
export function encodeRecord({ flag, key, identifier, id, digests }: RowRecord): Buffer {
  const length = headBytes + key.length + identifier.length + id.length + digests.length;
  const record = Buffer.allocUnsafe(length);
  record.writeUInt32LE(length, 0);
  record[4] = flag;
  record[5] = id.length;
  record.writeUInt16LE(identifier.length, 6);
  record.writeUInt32LE(key.length, 8);
  let at = headBytes;
  for (const part of [key, identifier, id, digests]) at += part.copy(record, at);
  return record;
}

/** The record that begins at `at`; its parts are views of `bytes`. */
export function decodeRecord(bytes: Buffer, at: number): RowRecord & { readonly next: number } {
  const next = at + bytes.readUInt32LE(at);
  const keyStart = at + headBytes;
  const identifierStart = keyStart + bytes.readUInt32LE(at + 8);
  const idStart = identifierStart + bytes.readUInt16LE(at + 6);
  const digestsStart = idStart + (bytes[at + 5] ?? 0);
  return {
    flag: bytes[at + 4] ?? 0,
    key: bytes.subarray(keyStart, identifierStart),
    identifier: bytes.subarray(identifierStart, idStart),
    id: bytes.subarray(idStart, digestsStart),
    digests: bytes.subarray(digestsStart, next),
    next,
  };
}

/** The digests of a row's compared values. */
export function digestFields(fields: readonly Buffer[]): Buffer {
  const digests = Buffer.allocUnsafe(digestBytes + 2 * fields.length);
  // A tab cannot be in a field, so that no two lists of fields are the same bytes.
  const parts: Buffer[] = [];
  for (const [i, field] of fields.entries()) {
    parts.push(field, tab);
    digests.writeUInt16LE(foldedHash(field), digestBytes + 2 * i);
  }
  hash('sha256', Buffer.concat(parts), 'buffer').copy(digests, 0, 0, digestBytes);
  return digests;
}

const tab = Buffer.from('\t');

/** FNV-1a, folded to 16 bits. */
function foldedHash(bytes: Buffer): number {
  const whole = hashBytes(bytes);
  return (whole >>> 16) ^ (whole & 0xffff);
}

/** FNV-1a of the bytes, mixed so that each part of it is good for itself. */
export function hashBytes(bytes: Buffer): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i += 1) sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193);
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}

/** The positions of the columns that differ. */
export function differingColumns(a: Buffer, b: Buffer): number[] {
  const positions: number[] = [];
  for (let at = digestBytes; at < Math.max(a.length, b.length); at += 2) {
    if (a[at] !== b[at] || a[at + 1] !== b[at + 1]) positions.push((at - digestBytes) / 2);
  }
  return positions;
}

/** Whether the values are the same. */
export function haveSameValues(a: RowRecord, b: RowRecord): boolean {
  return a.digests.equals(b.digests);
}
