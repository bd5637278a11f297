import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { CheckShape, ForeignKeyShape, IndexShape, TableShape } from './tableShape.js';

/** An index of the temp table; `tempName` until the swap, `liveName` after it. A primary key or UNIQUE constraint is one of these. */
export interface PlannedIndex extends IndexShape {
  readonly kind: 'index';
  readonly tempName: string;
  readonly liveName: string;
  readonly definition: string;
}

/** A CHECK or named NOT NULL: its name is unique per table only, so it has the live name from the start. */
export interface PlannedCheck extends CheckShape {
  readonly kind: 'check';
}

/** A foreign key of the temp table; its name is unique per table only. */
export interface PlannedForeignKey extends ForeignKeyShape {
  readonly kind: 'foreign key';
  /** Where the temp table's key points: as live's, or the temp table of a table that swaps in the same transaction. */
  readonly tempTarget: QualifiedName;
}

export type PlanItem = PlannedIndex | PlannedCheck | PlannedForeignKey;

/** What a temp table gets after its rows are in, and how each thing is called before and after the swap. */
export interface TempTablePlan {
  readonly live: QualifiedName;
  readonly liveOid: number;
  readonly temp: QualifiedName;
  readonly runId: string;
  readonly shape: TableShape;
  readonly items: readonly PlanItem[];
  /** Names of the declared additions. */
  readonly addedColumns: readonly string[];
}

export interface PlanOptions {
  /** All tables of the media type that swap in one transaction, this one included or not: keys among them point at temp tables at once. */
  readonly siblings?: readonly TableShape[];
  /** Columns that the temp table has beside those of the live one. */
  readonly addedColumns?: readonly string[];
}

/** The plan for the temp table of `shape`. Pure: the same shape and run give the same names. */
export function planTempTable(shape: TableShape, runId: string, options: PlanOptions = {}): TempTablePlan {
  throw new FreshetError(
    'INTERNAL',
    `not there yet: ${shape.name.name} ${runId} ${String(options.siblings?.length)}`,
  );
}
