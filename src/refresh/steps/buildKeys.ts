import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { quoteIdentifier, quoteQualified, tempTableOf } from '../../postgres/identifiers.js';
import { buildUniqueKeys } from '../../postgres/indexBuild.js';
import type { Session } from '../../postgres/session.js';
import type { TableMapping } from '../../config/types.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';
import { liveNameOf, planTables, tablesOf } from '../tables.js';
import { countReconciled } from '../writersDeletions.js';
import type { CopySummary } from './copyData.js';

export interface CheckedTables {
  /** Downstream name → rows of its temp table. */
  readonly rows: Readonly<Record<string, number>>;
}

/**
 * Checks the temp tables: primary keys and UNIQUE indexes are built now, because building them *is* the uniqueness check, and slices and
 * samples need them. Then required columns, row counts, statistics.
 */
export const buildKeys =
  (copied: CopySummary): Step<CheckedTables> =>
  async (context, report) => {
    const plans = await context.withApi((session) => planTables(session, context));
    for (const [index, plan] of plans.entries()) {
      const mapping = tablesOf(context.definition.media)[index];
      await buildUniqueKeys(context.environment.apiUrl, plan, {
        identifyingColumns: mapping?.key ?? [],
        onIndexBuilt: (_name, done, total) => report({ done, total, unit: 'indexes' }),
      });
    }
    failpoint('keys.all');
    const rows: Record<string, number> = {};
    await context.withApi(async (session) => {
      for (const mapping of tablesOf(context.definition.media)) {
        rows[mapping.downstream] = await checkRows(context, session, mapping, copied);
      }
    });
    return { rows };
  };

async function checkRows(
  context: RunContext,
  session: Session,
  mapping: TableMapping,
  copied: CopySummary,
): Promise<number> {
  const table = quoteQualified(tempTableOf(liveNameOf(mapping)));
  await session.query(`analyze ${table}`);
  const nulls = mapping.requiredColumns.map(
    (column) => `count(*) filter (where ${quoteIdentifier(column)} is null) as ${quoteIdentifier(column)}`,
  );
  const { rows } = await session.query<Record<string, string>>(
    `select ${['count(*) as "number of rows"', ...nulls].join(', ')} from ${table}`,
  );
  const counted = rows[0] ?? {};
  const empty = mapping.requiredColumns.filter((column) => counted[column] !== '0');
  if (empty.length > 0) {
    const list = empty.map((column) => `${column} (${counted[column]} rows)`).join(', ');
    throw new FreshetError(
      'REQUIRED_COLUMN_EMPTY',
      `Copied rows of ${mapping.downstream} have no value in required columns: ${list}.`,
    );
  }
  const found = Number(counted['number of rows']);
  const expected = copied.tables.find((table) => table.table === mapping.downstream)?.rowsCopied ?? 0;
  // Rows that left the table when an earlier attempt reconciled it, not more.
  const gone =
    mapping.deletedMediaTable === null ? 0 : await countReconciled(context, mapping.deletedMediaTable);
  if (found > expected || found < expected - gone) {
    throw new FreshetError(
      'ROWS_LOST',
      `${expected} rows of ${mapping.downstream} were copied, but its temp table holds ${found}.`,
    );
  }
  return found;
}

/** Rows of the live tables, for a run that does not copy. */
export async function countLiveRows(context: RunContext): Promise<CheckedTables> {
  const rows: Record<string, number> = {};
  await context.withApi(async (session) => {
    const { main } = context.definition.media;
    const counted = await session.query<{ rows: string }>(
      `select count(*) as rows from ${quoteQualified(liveNameOf(main))}`,
    );
    rows[main.downstream] = Number(counted.rows[0]?.rows);
  });
  return { rows };
}
