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

/** Whether a number lies between two others, both inclusive; never for what is no number. */
function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
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
      isWithin(rowsInTable - totals.read, 0, writersDeleted),
      allowing(rowsInTable, writersDeleted, 'fewer'),
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

function allowing(expected: number, writersDeleted: number, direction: 'fewer' | 'more'): string {
  return writersDeleted === 0
    ? `${expected}`
    : `${expected} (up to ${writersDeleted} ${direction}: deleted by API writers meanwhile)`;
}

export function checkRejects(rejected: number, limits: GateLimits): Check {
  return check(
    'rejected documents',
    rejected <= limits.rejectsMax,
    `at most ${limits.rejectsMax}`,
    `${rejected}`,
  );
}

/**
 * I4: eligible rows = documents in the index.
 * @param missing eligible rows that are in the table and have no document because it was rejected.
 * @param writersDeleted rows that API writers may have taken out of the table while their documents are still there; 0 for a temp table.
 */
export function checkDocuments(
  eligible: number,
  missing: number,
  documents: number,
  writersDeleted: number,
): Check {
  const expected = eligible - missing;
  return check(
    'eligible rows = documents in the index',
    isWithin(documents - expected, 0, writersDeleted),
    allowing(expected, writersDeleted, 'more'),
    `${documents}`,
  );
}

/** Rows and documents with ids from `start` to `end`, both inclusive. */
export interface IdBucket {
  readonly start: number;
  readonly end: number;
  /** Eligible rows. */
  readonly rows: number;
  /** Those of the rows that have no document because it was rejected. */
  readonly missing: number;
  readonly documents: number;
}

/**
 * I4 again, per bucket of ids: a lost bucket and a doubled one would cancel out in the sum.
 * @param writersDeleted as in `checkDocuments`, for all buckets together.
 */
export function checkBuckets(buckets: readonly IdBucket[], writersDeleted: number): Check {
  const surplusOf = (bucket: IdBucket): number => bucket.documents - (bucket.rows - bucket.missing);
  const wrong = buckets.filter((bucket) => surplusOf(bucket) !== 0);
  const surplus = wrong.reduce((sum, bucket) => sum + surplusOf(bucket), 0);
  const first = wrong.find((bucket) => surplusOf(bucket) < 0) ?? wrong[0];
  return check(
    'rows = documents in each bucket of ids',
    wrong.every((bucket) => surplusOf(bucket) > 0) && surplus <= writersDeleted,
    `${buckets.length} equal buckets`,
    `${buckets.length - wrong.length} equal buckets`,
    first === undefined
      ? null
      : `ids ${first.start} to ${first.end}: ${first.rows} rows, ${first.missing} of them rejected, ${first.documents} documents`,
  );
}

/** What may explain that `filtered + matched` is not `main`. */
export interface FilteredTolerance {
  /** Documents that left main alone: they had a term, or the filtered index has them still. */
  readonly fewerInMain: number;
  /** Documents that left the filtered index alone. */
  readonly fewerInFiltered: number;
}

/**
 * I5: filtered + matched = main, where `matched` was counted when the filtered index was filled. Documents that API writers deleted since
 * explain a difference of at most their number: a range that is missing is not explained.
 */
export function checkFiltered(
  main: number,
  filtered: number,
  matched: number,
  tolerance: FilteredTolerance,
): Check {
  const difference = filtered + matched - main;
  return check(
    'filtered + matched = main',
    isWithin(difference, -tolerance.fewerInFiltered, tolerance.fewerInMain),
    `${main}`,
    `${filtered} + ${matched}`,
    difference === 0
      ? null
      : `API writers deleted at most ${Math.max(tolerance.fewerInMain, tolerance.fewerInFiltered)} documents since they were matched`,
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
  const { totalLossShareMax, sourceLossShareMax } = limits;
  return [
    ...(totalLossShareMax === null ? [] : [checkTotalLoss(before, after, totalLossShareMax)]),
    ...(sourceLossShareMax === null ? [] : [checkSourceLosses(before, after, sourceLossShareMax)]),
  ];
}

function checkTotalLoss(before: CountsBySource, after: CountsBySource, max: number): Check {
  const sum = (counts: CountsBySource): number =>
    Object.values(counts).reduce((total, rows) => total + rows, 0);
  const loss = lossShare(sum(before), sum(after));
  return check('documents lost in all', loss <= max, `at most ${percent(max)}`, percent(loss));
}

function checkSourceLosses(before: CountsBySource, after: CountsBySource, max: number): Check {
  // Sources are data: `after['constructor']` of an object without such a source is a function.
  const rowsAfter = new Map(Object.entries(after));
  const losses = Object.entries(before)
    .map(([source, rows]) => ({ source, loss: lossShare(rows, rowsAfter.get(source) ?? 0) }))
    .sort((a, b) => b.loss - a.loss);
  const tooMuch = losses.filter(({ loss }) => !(loss <= max));
  const named = tooMuch.slice(0, 10).map(({ source, loss }) => `${source} loses ${percent(loss)}`);
  return check(
    'documents lost per source',
    tooMuch.length === 0,
    `at most ${percent(max)} each`,
    percent(losses[0]?.loss ?? 0),
    named.length === 0 ? null : named.join(', '),
  );
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

/** What the comparison of single rows found. */
export interface Sampled {
  /** Eligible rows that were compared. */
  readonly compared: number;
  /** Chosen rows that were no longer in the table when they were to be compared. */
  readonly vanished: number;
  readonly differences: readonly SampledDifference[];
}

/**
 * @param wanted rows that must have been compared: those that the configuration asks for, or all eligible ones where there are fewer.
 * @param rejected ids of rejected documents: those may be missing, and nothing else.
 * @param writersDeleted rows that API writers may have taken out of the table; 0 for a temp table.
 */
export function checkSample(
  { compared, vanished, differences }: Sampled,
  wanted: number,
  rejected: ReadonlySet<string>,
  writersDeleted: number,
): Check[] {
  const faults = differences.filter(({ id, fields }) => fields !== null || !rejected.has(id));
  const first = faults
    .slice(0, 5)
    .map(({ id, fields }) =>
      fields === null ? `${id} is missing` : `${id} differs in ${fields.join(', ')}`,
    );
  return [
    check(
      'rows that were sampled',
      compared + vanished >= wanted && vanished <= writersDeleted,
      `at least ${wanted}`,
      `${compared}`,
      vanished === 0 ? null : `${vanished} vanished from the table meanwhile`,
    ),
    check(
      'sampled rows = their documents',
      faults.length === 0,
      `${compared} equal`,
      `${compared - faults.length} equal`,
      first.length === 0 ? null : first.join('; '),
    ),
  ];
}

export function checkSame(name: string, differences: readonly string[]): Check {
  const detail = differences.length === 0 ? null : differences.slice(0, 10).join('; ');
  return check(name, differences.length === 0, 'no difference', `${differences.length} differences`, detail);
}
