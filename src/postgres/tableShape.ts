import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { TableShape } from './shape/types.js';

export type * from './shape/types.js';

/** Reads everything that the promoted table must have from the catalog, by oid. Throws TABLE_MISSING where there is no such table. */
export async function describeTable(session: Session, name: QualifiedName): Promise<TableShape> {
  await session.query('select 1');
  throw new FreshetError('INTERNAL', `not there yet: ${name.name}`);
}

/** What of this table cannot be carried to another one, each by name. */
export function unsupportedFeatures(shape: TableShape): readonly string[] {
  return shape.unsupported;
}

/** Throws TABLE_FEATURE_UNSUPPORTED naming everything that cannot be carried. Belongs before the copy: nothing was changed yet. */
export function assertCarryable(shapes: readonly TableShape[]): void {
  const features = shapes.flatMap(unsupportedFeatures);
  if (features.length === 0) return;
  throw new FreshetError(
    'TABLE_FEATURE_UNSUPPORTED',
    `The promoted table could not have what the live one has: ${features.join('; ')}.`,
    { features },
  );
}
