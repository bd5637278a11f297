import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { TempTablePlan } from './tempTablePlan.js';

/** Rows of another table that refer to records which vanish. */
export interface OrphanCount {
  readonly table: QualifiedName;
  readonly foreignKey: string;
  readonly target: QualifiedName;
  readonly rows: number;
}

/** Counts, per key that points at one of the live tables, the rows that would refer to nothing after the swap. */
export async function countOrphans(
  session: Session,
  plans: readonly TempTablePlan[],
): Promise<OrphanCount[]> {
  await session.query('select 1');
  throw new FreshetError('INTERNAL', `not there yet: ${plans.length}`);
}
