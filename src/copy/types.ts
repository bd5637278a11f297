import type { MediaConfig } from '../config/types.js';
import type { QualifiedName } from '../postgres/identifiers.js';
import type { IsRunOver } from '../postgres/tempTable.js';
import type { DropReason } from './tagRules.js';

export interface CopyProgress {
  /** Downstream name of the table. */
  readonly table: string;
  /** Rows whose key was read: the first, narrow scan. */
  readonly rowsKeyed: number;
  /** Rows read by the second, wide scan. */
  readonly rowsCopied: number;
  /** The planner's estimate during the first scan, exact afterwards. */
  readonly rowsExpected: number;
}

/** What of a media type's configuration the copy needs. */
export type CopiedMedia = Pick<
  MediaConfig,
  'name' | 'main' | 'additional' | 'sensitiveMediaTable' | 'tagRules'
>;

export interface CopyOptions {
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly media: CopiedMedia;
  readonly runId: string;
  /** Of freshet; written into the marks of the temp tables. */
  readonly version: string;
  /** Rows of each table at most, ordered by the key; null = all. */
  readonly recordLimit: number | null;
  /** An empty main table in the catalog is copied only when this is true. */
  readonly allowEmpty: boolean;
  readonly isRunOver: IsRunOver;
  readonly onProgress: (progress: CopyProgress) => void;
  readonly signal: AbortSignal;
}

export interface TableCopyResult {
  /** Downstream name. */
  readonly table: string;
  readonly tempTable: { readonly oid: number; readonly name: QualifiedName };
  readonly rowsRead: number;
  readonly rowsCopied: number;
  readonly leftOutDeleted: number;
  readonly leftOutByTransform: number;
  readonly tagsDropped: Readonly<Partial<Record<DropReason, number>>>;
  /** Rows that were not copied byte for byte: tags, URL schemes or the hook changed them. */
  readonly rowsChanged: number;
  /** Rows whose `tags` are no list or hold something that is no tag. */
  readonly malformedTags: number;
  readonly idsKept: number;
  readonly idsNew: number;
  /** The first id that was not given. */
  readonly nextId: bigint;
  /** Upstream columns that the temp table lacks. */
  readonly droppedColumns: readonly string[];
  /** Columns of the temp table that upstream lacks. */
  readonly defaultedColumns: readonly string[];
  readonly seconds: number;
  /** Bytes sent to the API database. */
  readonly bytes: number;
}

export interface CopyResult {
  /** When the snapshot of the catalog was taken. */
  readonly snapshotAt: Date;
  /** Main table first. */
  readonly tables: readonly TableCopyResult[];
  readonly seconds: number;
}
