import type { GateLimits } from '../config/types.js';
import type { CountsBySource, Check } from '../state/records.js';
import type { SliceTotals } from '../state/slices.js';

/** The gate's verdicts: pure functions from what was found to checks. Any check that is not passed stops the run with nothing changed. */

function check(
  name: string,
  passed: boolean,
  expected: string,
  found: string,
  detail: string | null = null,
): Check {
  return { name, passed, expected, found, detail };
}

/**
 * I3: rows read over all slices = rows in the table = indexed + removed + deleted + rejected.
 * @param writersDeleted rows that API writers may have taken out of the table meanwhile; 0 for a temp table, which has no writers.
 */
export function checkSlices(rowsInTable: number, totals: SliceTotals, writersDeleted: number): Check[] {
  const accounted = totals.indexed + totals.removed + totals.deleted + totals.rejected;
  return [
    check('all slices are done', totals.done === totals.slices, `${totals.slices}`, `${totals.done}`),
    check(
      'rows read = rows in the table',
      totals.read <= rowsInTable && rowsInTable - totals.read <= writersDeleted,
      `${rowsInTable}`,
      `${totals.read}`,
    ),
    check(
      'rows read = indexed + removed + deleted + rejected',
      totals.read === accounted,
      `${totals.read}`,
      `${accounted} (${totals.indexed} + ${totals.removed} + ${totals.deleted} + ${totals.rejected})`,
    ),
  ];
}

export function checkRejects(rejected: number, limits: GateLimits): Check {
  return check(
    'rejected documents',
    rejected <= limits.rejectsMax,
    `at most ${limits.rejectsMax}`,
    `${rejected}`,
  );
}

/** I4: eligible rows = documents in the index. `writersDeleted` as in `checkSlices`. */
export function checkDocuments(
  eligible: number,
  rejected: number,
  documents: number,
  writersDeleted: number,
): Check {
  const expected = eligible - rejected;
  return check(
    'eligible rows = documents in the index',
    documents >= expected && documents - expected <= writersDeleted,
    `${expected}`,
    `${documents}`,
  );
}

/** I4 again, per bucket of ids: a lost bucket and a doubled one would cancel out in the sum. */
export function checkBuckets(
  buckets: readonly { start: number; end: number; rows: number; documents: number }[],
  rejected: number,
): Check {
  const wrong = buckets.filter((bucket) => bucket.rows !== bucket.documents);
  const difference = wrong.reduce((sum, bucket) => sum + Math.abs(bucket.rows - bucket.documents), 0);
  const first = wrong[0];
  return check(
    'rows = documents in each bucket of ids',
    difference <= rejected,
    `${buckets.length} equal buckets`,
    `${buckets.length - wrong.length} equal buckets`,
    first === undefined
      ? null
      : `ids ${first.start} to ${first.end}: ${first.rows} rows, ${first.documents} documents`,
  );
}

/** I5: filtered + matched = main. */
export function checkFiltered(main: number, filtered: number, matched: number): Check {
  return check(
    'filtered + matched = main',
    filtered + matched === main,
    `${main}`,
    `${filtered} + ${matched}`,
  );
}

/** An empty result is promoted only where the configuration allows it. */
export function checkNotEmpty(documents: number, limits: GateLimits): Check {
  return check(
    'the index is not empty',
    documents > 0 || limits.allowEmpty,
    'at least 1 document',
    `${documents}`,
  );
}

/** What a source, and all together, may lose against what is live. Sources that are new or grow are never in the way. */
export function checkLosses(before: CountsBySource, after: CountsBySource, limits: GateLimits): Check[] {
  const checks: Check[] = [];
  const sum = (counts: CountsBySource): number =>
    Object.values(counts).reduce((total, rows) => total + rows, 0);
  if (limits.totalLossShareMax !== null) {
    const loss = lossShare(sum(before), sum(after));
    checks.push(
      check(
        'documents lost in all',
        loss <= limits.totalLossShareMax,
        `at most ${percent(limits.totalLossShareMax)}`,
        percent(loss),
      ),
    );
  }
  if (limits.sourceLossShareMax !== null) {
    const max = limits.sourceLossShareMax;
    const losses = Object.entries(before)
      .map(([source, rows]) => ({ source, loss: lossShare(rows, after[source] ?? 0) }))
      .sort((a, b) => b.loss - a.loss);
    const tooMuch = losses.filter(({ loss }) => loss > max);
    checks.push(
      check(
        'documents lost per source',
        tooMuch.length === 0,
        `at most ${percent(max)} each`,
        percent(losses[0]?.loss ?? 0),
        tooMuch.length === 0
          ? null
          : tooMuch
              .slice(0, 10)
              .map(({ source, loss }) => `${source} loses ${percent(loss)}`)
              .join(', '),
      ),
    );
  }
  return checks;
}

function lossShare(before: number, after: number): number {
  return before === 0 ? 0 : Math.max(0, (before - after) / before);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export function checkOrphans(orphans: number, limits: GateLimits, detail: string | null): Check {
  return check(
    'rows that refer to vanished records',
    orphans <= limits.orphansMax,
    `at most ${limits.orphansMax}`,
    `${orphans}`,
    detail,
  );
}

/** One row of the sample with the fields in which its document differs; `null` = there is no document. */
export interface SampledDifference {
  readonly id: string;
  readonly fields: readonly string[] | null;
}

export function checkSample(
  sampled: number,
  differences: readonly SampledDifference[],
  rejected: number,
): Check {
  const first = differences
    .slice(0, 5)
    .map(({ id, fields }) =>
      fields === null ? `${id} is missing` : `${id} differs in ${fields.join(', ')}`,
    );
  return check(
    'sampled rows = their documents',
    differences.length <= rejected,
    `${sampled} equal`,
    `${sampled - differences.length} equal`,
    first.length === 0 ? null : first.join('; '),
  );
}

export function checkSame(name: string, differences: readonly string[]): Check {
  const detail = differences.length === 0 ? null : differences.slice(0, 10).join('; ');
  return check(name, differences.length === 0, 'no difference', `${differences.length} differences`, detail);
}
