import { FreshetError } from '../errors.js';
import { quoteQualified } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import { explained } from './failures.js';
import { planTables } from './prepareTables.js';
import { assertDifferentDatabases } from './sameDatabase.js';
import type { CopyOptions } from './types.js';

/**
 * Looks at what a copy would need, without starting one: two databases, all tables and columns, at least one record. Reads definitions and
 * one row, so that it is over at once at any size. Throws SAME_DATABASE, TABLE_MISSING, COLUMN_MISSING, EMPTY_CATALOG, as the copy itself would.
 */
export async function checkCopy(
  { catalog, api }: { readonly catalog: Session; readonly api: Session },
  options: CopyOptions,
): Promise<void> {
  await assertDifferentDatabases(catalog, api);
  const [main] = await planTables({ catalog, target: api }, options);
  if (main === undefined || options.allowEmpty) return;
  const { name, called } = main.scan.upstream;
  const found = await explained('catalog', catalog.query(`select from ${quoteQualified(name)} limit 1`));
  if (found.rows.length > 0) return;
  throw new FreshetError('EMPTY_CATALOG', `${called} in the catalog has no rows.`, { table: called });
}
