import type { QualifiedName } from './identifiers.js';
import type { TableShape } from './tableShape.js';

/** An index (with its constraint) of both generations. */
export interface SwappedIndex {
  readonly liveName: string;
  /** What the previous table's index is called now. */
  readonly previousName: string;
}

/** The sequence of an identity column, or a statistics object, of both generations. */
export interface SwappedObject {
  readonly kind: 'sequence' | 'statistics';
  /** The candidate's until the swap. */
  readonly tempName: QualifiedName;
  readonly liveName: QualifiedName;
  /** What the previous table's one is called now, in the same schema. */
  readonly previousName: string;
}

export interface SwappedTable {
  readonly live: QualifiedName;
  /** Of the promoted table. */
  readonly liveOid: number;
  readonly previous: QualifiedName;
  readonly previousOid: number;
  readonly indexes: readonly SwappedIndex[];
  readonly objects: readonly SwappedObject[];
  /** The live table as the swap found it, names and all: what moved along is not at the previous table any more. Not in records that are older than this. */
  readonly before?: TableShape;
}

/** A key of another table that points at the new live table since the swap. */
export interface MovedForeignKey {
  readonly table: QualifiedName;
  readonly name: string;
  /** As `pg_get_constraintdef` says it, without NOT VALID. */
  readonly definition: string;
  /** Whether it was valid before, so that it is validated after the commit. */
  readonly validate: boolean;
  readonly comment: string | null;
  readonly target: QualifiedName;
}

/** Rows of another table whose record vanished, kept aside. */
export interface KeptOrphans {
  readonly kept: QualifiedName;
  readonly keptOid: number;
  readonly table: QualifiedName;
  readonly foreignKey: string;
  readonly columns: readonly string[];
  readonly rows: number;
}

export interface SwappedSequence {
  readonly sequence: QualifiedName;
  readonly ownedBy: string | null;
  readonly table: QualifiedName;
  /** Before the swap, as text. It is never set back. */
  readonly lastValue: string;
}

interface SwappedView {
  readonly view: QualifiedName;
  readonly definition: string;
  readonly options: readonly string[];
}

/** Everything that a rollback needs, kept in `freshet.swaps`. */
export interface SwapRecord {
  readonly runId: string;
  /** Of a rollback: the generation whose tables are live again. Absent: the run's own. */
  readonly generation?: string;
  /** Of a rollback: how many rows that the swap before had put aside are back. */
  readonly orphansReturned?: number;
  readonly media: string;
  readonly version: string;
  readonly tables: readonly SwappedTable[];
  readonly foreignKeys: readonly MovedForeignKey[];
  readonly orphans: readonly KeptOrphans[];
  readonly sequences: readonly SwappedSequence[];
  readonly views: readonly SwappedView[];
  /** How long readers were kept out, up to the commit. */
  readonly lockHeldMs: number;
  /** How many times the locks could not be had before. */
  readonly lockRetries: number;
}

/** The generation that a swap made live: its id is that of the run that built it. */
export function generationOf({ runId, generation }: SwapRecord): string {
  return generation ?? runId;
}
