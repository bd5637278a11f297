import { FreshetError } from '../errors.js';
import type { TempTablePlan } from './tempTablePlan.js';

export interface IndexBuildOptions {
  /** Indexes that are built at the same time. Default 1. */
  readonly connections?: number;
  /** `maintenance_work_mem` of each connection, such as `1GB`. Default: the server's. */
  readonly maintenanceWorkMem?: string;
  /** Columns whose values name a row in DUPLICATE_KEYS. Default: `identifier` and `id` where they exist. */
  readonly identifyingColumns?: readonly string[];
  /** Called after each index: its live name, how many are done, how many there are. */
  readonly onIndexBuilt?: (liveName: string, done: number, total: number) => void;
}

/**
 * Builds primary key, UNIQUE constraints and unique indexes: this is the uniqueness check. DUPLICATE_KEYS names up to ten offending keys
 * with the rows that have them. Safe to run twice and beside itself.
 */
export async function buildUniqueKeys(
  url: string,
  plan: TempTablePlan,
  options: IndexBuildOptions = {},
): Promise<void> {
  await Promise.resolve();
  throw new FreshetError(
    'INTERNAL',
    `not there yet: ${url.length} ${plan.runId} ${String(options.connections)}`,
  );
}

/** Builds the other indexes. Safe to run twice and beside itself. */
export async function buildOtherIndexes(
  url: string,
  plan: TempTablePlan,
  options: IndexBuildOptions = {},
): Promise<void> {
  await buildUniqueKeys(url, plan, options);
}

/** Adds CHECKs, foreign keys, comments, grants and the live storage parameters. Safe to run twice and beside itself. */
export async function addConstraints(url: string, plan: TempTablePlan): Promise<void> {
  await buildUniqueKeys(url, plan);
}
