import type { BlockRange, IdRange } from './ranges.js';

/** The part of a table that one task indexes: a range of blocks (half-open), a range of ids (inclusive), or single rows by id. */
export type Slice =
  | ({ readonly kind: 'blocks' } & BlockRange)
  | ({ readonly kind: 'ids' } & IdRange)
  | { readonly kind: 'rows'; readonly rowIds: readonly bigint[] };

/** What became of a slice's rows: read = removed + deleted + indexed + rejected, always. */
export interface SliceCounts {
  readonly read: number;
  /** Rows with the removed column true. */
  readonly removed: number;
  /** Rows in the deleted-media table that are not removed besides. */
  readonly deleted: number;
  readonly indexed: number;
  readonly rejected: number;
  /** Dates that the search engine cannot hold; their documents lack the field. */
  readonly datesLeftOut: number;
}

export const noCounts: SliceCounts = {
  read: 0,
  removed: 0,
  deleted: 0,
  indexed: 0,
  rejected: 0,
  datesLeftOut: 0,
};

/** A document that the search engine refused for good, or a row that could not become one. */
export interface Reject {
  readonly id: string;
  readonly reason: string;
}
