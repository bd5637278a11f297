import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { SwapRecord } from './swapRecord.js';
import type { TempTablePlan } from './tempTablePlan.js';

export type { SwapRecord } from './swapRecord.js';

/** A session that holds a lock which the swap needs. */
export interface Blocker {
  /** Null for a prepared transaction. */
  readonly pid: number | null;
  readonly user: string | null;
  readonly applicationName: string | null;
  readonly state: string | null;
  /** Its last or current statement, shortened. */
  readonly query: string | null;
  /** Since its transaction began. */
  readonly ageMs: number | null;
  readonly table: string;
  readonly mode: string;
}

export interface SwapTable {
  readonly live: QualifiedName;
  readonly plan: TempTablePlan;
  /** The id that the next new record gets: the sequence is set to it, forward only. Null where the table has no id sequence. */
  readonly nextId: bigint | null;
}

export interface SwapOptions {
  readonly apiUrl: string;
  readonly runId: string;
  readonly media: string;
  readonly version: string;
  readonly tables: readonly SwapTable[];
  /** Called in the transaction while readers and writers are kept out: the last reconcile. It may run several times (after a rollback). */
  readonly insideSwap: (session: Session) => Promise<void>;
  /** How long the locks are tried for; afterwards SWAP_BLOCKED, with everything as before. */
  readonly lockWindowMs: number;
  /** Called after every try that failed. */
  readonly onBlocked: (blockers: readonly Blocker[]) => void;
  /** Looked at before every try; true ends it with SWAP_STOPPED. */
  readonly shouldStop: () => boolean | Promise<boolean>;
}

/** Makes the temp tables the live ones, all in one transaction. A run that has swapped already gets its record, nothing happens again. */
export async function swapTables(options: SwapOptions): Promise<SwapRecord> {
  await Promise.resolve();
  throw new FreshetError('INTERNAL', `not there yet: ${options.runId}`);
}

/** Validates the keys that the swap added NOT VALID. Safe to run twice. */
export async function validateForeignKeys(apiUrl: string, record: SwapRecord): Promise<void> {
  await Promise.resolve();
  throw new FreshetError('INTERNAL', `not there yet: ${apiUrl.length} ${record.runId}`);
}
