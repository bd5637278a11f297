import type { RefreshDefinition } from '../config/types.js';
import {
  compareWithBefore,
  compareWithCandidate,
  type TableComparison,
} from '../postgres/compareGenerations.js';
import { hasMarks } from '../postgres/marks.js';
import { listNewestSwaps } from '../postgres/promotions.js';
import { withSession } from '../postgres/session.js';
import { describeTable } from '../postgres/tableShape.js';
import { liveNameOf, tablesOf } from './tables.js';

export type { TableComparison } from '../postgres/compareGenerations.js';

/** All comparisons of a media type's live tables. */
export interface ComparedTables {
  readonly comparisons: readonly TableComparison[];
  /** Live tables of which it is not known what they replaced: never promoted, or replaced by somebody else since. */
  readonly unknownBefore: readonly string[];
}

/** Whether nothing but declared columns differs. */
export function isSame({ comparisons }: ComparedTables): boolean {
  return comparisons.every(({ differences }) => differences.length === 0);
}

/**
 * Compares the live tables of a definition by the catalog with what was live before, and with a run's temp tables where there are some.
 * Changes nothing. Throws TABLE_MISSING.
 */
export async function compareTables(
  apiUrl: string,
  { media }: Pick<RefreshDefinition, 'media'>,
): Promise<ComparedTables> {
  const options = { applicationName: 'freshet diff-tables', called: 'API database' };
  return withSession(apiUrl, options, async (session) => {
    const comparisons: TableComparison[] = [];
    const unknownBefore: string[] = [];
    const known = await hasMarks(session);
    const swaps = known ? await listNewestSwaps(session) : [];
    const record = swaps.find((swap) => swap.record.media === media.name)?.record;
    for (const mapping of tablesOf(media)) {
      const live = liveNameOf(mapping);
      const added = Object.keys(mapping.addedColumns);
      await describeTable(session, live);
      const before = record ? await compareWithBefore(session, live, record, added) : null;
      if (before === null) unknownBefore.push(`${live.schema}.${live.name}`);
      else comparisons.push(before);
      const candidate = known ? await compareWithCandidate(session, live, added) : null;
      if (candidate !== null) comparisons.push(candidate);
    }
    return { comparisons, unknownBefore };
  });
}
