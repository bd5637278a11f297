/** How a table is cut into slices. Pure; every function here partitions exactly: no row is lost, none is read twice. */

/** Ids from `startId` to `endId`, both inclusive. */
export interface IdRange {
  readonly startId: bigint;
  readonly endId: bigint;
}

/** Blocks of a table from `startBlock` up to but not including `endBlock`. */
export interface BlockRange {
  readonly startBlock: number;
  readonly endBlock: number;
}

/**
 * Cuts the ids `minId` to `maxId` (both inclusive) into at most `parts` disjoint ranges that cover them exactly, in ascending order. Sizes
 * differ by at most one. Fewer ids than parts give one range per id; `maxId` below `minId` (an empty table) gives none.
 */
export function splitIdRanges(minId: bigint | number, maxId: bigint | number, parts: number): IdRange[] {
  const first = BigInt(minId);
  const bounds = partBounds(BigInt(maxId) - first + 1n, parts);
  return pairs(bounds, (start, end) => ({ startId: first + start, endId: first + end - 1n }));
}

/** Cuts blocks 0 to `blocks` − 1 into at most `parts` half-open ranges that cover them exactly, in ascending order. No blocks give none. */
export function splitBlocks(blocks: number, parts: number): BlockRange[] {
  const bounds = partBounds(BigInt(blocks), parts);
  return pairs(bounds, (start, end) => ({ startBlock: Number(start), endBlock: Number(end) }));
}

export interface SliceCountInput {
  /** Rows of the table; an estimate is good enough. */
  readonly rows: number;
  /** Blocks of the table; a slice has at least one. */
  readonly blocks: number;
  readonly workers: number;
  /** Rows that a slice should have: what is done again when a worker dies. */
  readonly rowsPerSlice: number;
  /** At most so many slices, whatever the rows: each costs a query and a row of state. */
  readonly slicesMax: number;
}

/** How many slices a table is cut into: at least one per worker, none larger than `rowsPerSlice` where possible, none empty by construction. */
export function sliceCount({ rows, blocks, workers, rowsPerSlice, slicesMax }: SliceCountInput): number {
  const wanted = Math.max(workers, Math.ceil(rows / rowsPerSlice), 1);
  return Math.min(wanted, slicesMax, blocks);
}

/** 0 = bounds[0] < bounds[1] < … < bounds[n] = `size`, n = min(parts, size). The multiplication before the division is what loses nothing. */
function partBounds(size: bigint, parts: number): bigint[] {
  if (!Number.isSafeInteger(parts) || parts < 1) {
    throw new RangeError(`A table cannot be cut into ${parts} parts.`);
  }
  if (size <= 0n) return [];
  const count = size < BigInt(parts) ? size : BigInt(parts);
  return Array.from({ length: Number(count) + 1 }, (_, i) => (size * BigInt(i)) / count);
}

function pairs<T>(bounds: readonly bigint[], make: (start: bigint, end: bigint) => T): T[] {
  return bounds.slice(1).map((end, i) => make(bounds[i] as bigint, end));
}
