import type { DropReason } from './tagRules.js';

/** What a copy of one table counts while rows go by. */
export interface RowCounts {
  read: number;
  copied: number;
  leftOutDeleted: number;
  leftOutByTransform: number;
  changed: number;
  malformedTags: number;
  idsKept: number;
  idsNew: number;
  bytes: number;
  readonly tagsDropped: Partial<Record<DropReason, number>>;
}

export function zeroCounts(): RowCounts {
  return {
    read: 0,
    copied: 0,
    leftOutDeleted: 0,
    leftOutByTransform: 0,
    changed: 0,
    malformedTags: 0,
    idsKept: 0,
    idsNew: 0,
    bytes: 0,
    tagsDropped: {},
  };
}
