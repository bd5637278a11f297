import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';

/** `VACUUM (FREEZE, ANALYZE)`: the promoted table has statistics, and no reader has to set hint bits. */
export async function vacuumTempTable(url: string, oid: number): Promise<void> {
  await Promise.resolve();
  throw new FreshetError('INTERNAL', `not there yet: ${url.length} ${oid}`);
}

/**
 * How `tempName` differs from `liveName` by the catalog, one sentence each; empty = they are the same. What only moves in the swap
 * (names of indexes, keys of other tables, views, owners of sequences) is no difference.
 */
export async function diffTables(
  session: Session,
  liveName: QualifiedName,
  tempName: QualifiedName,
  declaredAdditions: readonly string[],
): Promise<string[]> {
  await session.query('select 1');
  throw new FreshetError(
    'INTERNAL',
    `not there yet: ${liveName.name} ${tempName.name} ${declaredAdditions.length}`,
  );
}
