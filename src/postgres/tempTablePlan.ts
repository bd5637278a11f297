import { FreshetError } from '../errors.js';
import { tempTableOf, type QualifiedName } from './identifiers.js';
import { generatedIndexName } from './names.js';
import type { CheckShape, ForeignKeyShape, IndexShape, TableShape } from './tableShape.js';

/** An index of the temp table; `tempName` until the swap, `liveName` after it. A primary key, UNIQUE or exclusion constraint is one of these. */
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

/** What a temp table gets after its rows are in, and how each thing is called before and after the swap. Plain values: may be stored. */
export interface TempTablePlan {
  readonly live: QualifiedName;
  readonly liveOid: number;
  readonly temp: QualifiedName;
  readonly runId: string;
  readonly shape: TableShape;
  readonly items: readonly PlanItem[];
  /** Names of the declared additions that the live table lacks. */
  readonly addedColumns: readonly string[];
  /** Oids of the live tables that swap in the same transaction, this one included. */
  readonly siblingOids: readonly number[];
  /** Where the table that becomes live was live before (`planPreviousTables`), and no run built it. */
  readonly previous?: {
    readonly oid: number;
    /** Declared additions that only the live table has. */
    readonly missingColumns: readonly string[];
  };
}

export interface PlanOptions {
  /** All tables of the media type that swap in one transaction, this one included or not: keys among them point at temp tables at once. */
  readonly siblings?: readonly TableShape[];
  /** Names of columns that the temp table gets beside those of the live one. */
  readonly addedColumns?: readonly string[];
}

/** Whether it is built with the keys: what forbids rows stops the run before hours of indexing. */
export function isKey(index: IndexShape): boolean {
  return index.unique || index.constraint?.type === 'exclusion';
}

/** Primary key first, then UNIQUE constraints, unique indexes, the others; by name within each: the order in which they are built. */
function buildRank(index: IndexShape): number {
  if (index.constraint?.type === 'primary key') return 0;
  if (index.constraint?.type === 'unique') return 1;
  return isKey(index) ? 2 : 3;
}

function planIndexes(shape: TableShape, runId: string): PlannedIndex[] {
  const ordered = [...shape.indexes].sort((one, other) => buildRank(one) - buildRank(other));
  return ordered.map((index, position) => {
    if (index.definition === null) {
      throw new FreshetError(
        'TABLE_FEATURE_UNSUPPORTED',
        `The definition of index ${index.name} is not understood.`,
        {
          features: [`index ${index.name}`],
        },
      );
    }
    return {
      ...index,
      kind: 'index',
      definition: index.definition,
      liveName: index.name,
      tempName: generatedIndexName(runId, shape.oid, position + 1),
    };
  });
}

/** The plan for the temp table of `shape`. Pure: the same shape and run give the same names. */
export function planTempTable(shape: TableShape, runId: string, options: PlanOptions = {}): TempTablePlan {
  const siblings = new Map(
    [shape, ...(options.siblings ?? [])].map(({ oid, name }) => [oid, tempTableOf(name)]),
  );
  const present = new Set(shape.columns.map(({ name }) => name));
  return {
    live: shape.name,
    liveOid: shape.oid,
    temp: tempTableOf(shape.name),
    runId,
    shape,
    items: [
      ...planIndexes(shape, runId),
      ...shape.checks.map((check) => ({ ...check, kind: 'check' as const })),
      ...shape.outboundKeys.map((key) => ({
        ...key,
        kind: 'foreign key' as const,
        tempTarget: siblings.get(key.targetOid) ?? key.target,
      })),
    ],
    addedColumns: (options.addedColumns ?? []).filter((name) => !present.has(name)),
    siblingOids: [...siblings.keys()],
  };
}

/** The planned indexes. */
export function plannedIndexes(plan: TempTablePlan): PlannedIndex[] {
  return plan.items.filter((item) => item.kind === 'index');
}

/** Keys of tables that do not swap with this one: dropped and added again in the swap. */
export function keysFromOutside(
  plan: TempTablePlan,
  inboundKeys: readonly ForeignKeyShape[],
): ForeignKeyShape[] {
  return inboundKeys.filter(({ tableOid }) => !plan.siblingOids.includes(tableOid));
}
