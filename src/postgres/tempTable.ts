import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { TableShape } from './tableShape.js';

/** Whether a run is known to be over; only then may what it left be dropped. */
export type IsRunOver = (runId: string) => boolean | Promise<boolean>;

export interface TempTableOptions {
  readonly shape: TableShape;
  /** Declared additions, name → Postgres type; those that the live table has already are skipped. */
  readonly addedColumns: Readonly<Record<string, string>>;
  readonly runId: string;
  readonly media: string;
  /** When the catalog's snapshot was taken; null where rows come from the live table. */
  readonly snapshotAt: Date | null;
  /** Of freshet. */
  readonly version: string;
  readonly isRunOver: IsRunOver;
}

/**
 * Creates the temp table beside the live one and its mark. Must run in the caller's transaction, in which the rows may then be copied
 * frozen. A temp table that this run or a run that is over left is dropped first; anything else in the way is LEFTOVER_FOREIGN.
 */
export async function createTempTable(
  session: Session,
  options: TempTableOptions,
): Promise<{ oid: number; name: QualifiedName }> {
  await session.query('select 1');
  throw new FreshetError('INTERNAL', `not there yet: ${options.runId}`);
}
