import { FreshetError, messageOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { buildSessionOf, withIndexLock } from './buildSessions.js';
import { findDuplicates } from './duplicates.js';
import { quoteIdentifier, quoteLiteral, quoteQualified } from './identifiers.js';
import { hasSqlState } from './lockRetry.js';
import { withSession, type Session } from './session.js';
import { readIndexes } from './shape/indexes.js';
import type { IndexShape } from './tableShape.js';
import { withTempTable } from './tempTableBuild.js';
import { isKey, plannedIndexes, type PlannedIndex, type TempTablePlan } from './tempTablePlan.js';

export { addConstraints } from './constraintBuild.js';

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

/** `create [unique] index` of the temp table's index; an exclusion constraint brings its index itself. Pure. */
export function createIndexStatement(plan: TempTablePlan, index: PlannedIndex): string {
  if (index.constraint?.definition != null) {
    return `alter table ${quoteQualified(plan.temp)} add constraint ${quoteIdentifier(index.tempName)} ${index.constraint.definition}`;
  }
  const unique = index.unique ? 'unique ' : '';
  return `create ${unique}index ${quoteIdentifier(index.tempName)} on ${quoteQualified(plan.temp)} ${index.definition}`;
}

/** What an index gets after it was built; may run again. Pure. */
export function finishIndexStatements(plan: TempTablePlan, index: PlannedIndex): string[] {
  const name = quoteQualified({ schema: plan.temp.schema, name: index.tempName });
  return [
    ...index.statistics.map(
      ({ position, target }) => `alter index ${name} alter column ${position} set statistics ${target}`,
    ),
    ...(index.comment === null ? [] : [`comment on index ${name} is ${quoteLiteral(index.comment)}`]),
    ...(index.clustered
      ? [`alter table ${quoteQualified(plan.temp)} cluster on ${quoteIdentifier(index.tempName)}`]
      : []),
    ...(index.replicaIdentity
      ? [
          `alter table ${quoteQualified(plan.temp)} replica identity using index ${quoteIdentifier(index.tempName)}`,
        ]
      : []),
  ];
}

/** Turns a unique index into the constraint that stands before it on the live table. Pure. */
export function keyConstraintStatements(plan: TempTablePlan, index: PlannedIndex): string[] {
  if (index.constraint === null) return [];
  const { type, definition, deferrable, initiallyDeferred, comment } = index.constraint;
  const table = quoteQualified(plan.temp);
  const name = quoteIdentifier(index.tempName);
  const timing = `${deferrable ? ' deferrable' : ''}${initiallyDeferred ? ' initially deferred' : ''}`;
  return [
    ...(definition === null
      ? [`alter table ${table} add constraint ${name} ${type} using index ${name}${timing}`]
      : []),
    ...(comment === null ? [] : [`comment on constraint ${name} on ${table} is ${quoteLiteral(comment)}`]),
  ];
}

/** The index where it is there already, whoever built it. An invalid one is a leftover of a build that broke off: dropped. */
async function findBuilt(
  session: Session,
  plan: TempTablePlan,
  oid: number,
  index: PlannedIndex,
): Promise<IndexShape | null> {
  const existing = (await readIndexes(session, oid)).find(({ name }) => name === index.tempName);
  if (existing === undefined) return null;
  if (existing.definition !== index.definition) {
    throw new FreshetError('SHAPE_DIFFERS', `Index ${index.tempName} is there with another definition.`);
  }
  if (existing.valid) return existing;
  await session.query(`drop index ${quoteQualified({ schema: plan.temp.schema, name: index.tempName })}`);
  return null;
}

/** Creates the index or finds it built; "exists already" means that somebody was faster, so it looks again. */
async function createOrFind(
  session: Session,
  plan: TempTablePlan,
  oid: number,
  index: PlannedIndex,
): Promise<IndexShape | null> {
  const existing = await findBuilt(session, plan, oid, index);
  if (existing !== null) return existing;
  await session.query("select set_config('default_tablespace', $1, false)", [index.tablespace ?? '']);
  try {
    await session.query(createIndexStatement(plan, index));
    return null;
  } catch (error) {
    const built = isTakenName(error) ? await findBuilt(session, plan, oid, index) : null;
    if (built === null) throw error;
    return built;
  }
}

async function buildIndex(
  session: Session,
  plan: TempTablePlan,
  oid: number,
  index: PlannedIndex,
): Promise<void> {
  const existing = await createOrFind(session, plan, oid, index);
  if (isKey(index)) failpoint('keys.index');
  const constraint = existing?.constraint ? [] : keyConstraintStatements(plan, index);
  for (const statement of [...constraint, ...finishIndexStatements(plan, index)])
    await session.query(statement);
}

const constraintOf = (error: unknown): unknown => (error as { constraint?: unknown } | null)?.constraint;

/** Two statements that create one name at once: the second fails at the catalog's own unique index. */
function isTakenName(error: unknown): boolean {
  if (hasSqlState(error, '42P07')) return true;
  return hasSqlState(error, '23505') && constraintOf(error) === 'pg_class_relname_nsp_index';
}

async function buildNamingDuplicates(
  session: Session,
  plan: TempTablePlan,
  oid: number,
  index: PlannedIndex,
  options: IndexBuildOptions,
): Promise<void> {
  try {
    await withIndexLock(session, plan, index, () => buildIndex(session, plan, oid, index));
  } catch (error) {
    if (hasSqlState(error, '23P01')) throw excludedError(plan, index, error);
    // Only where the rows violate this very index, not the catalog's.
    if (!hasSqlState(error, '23505') || constraintOf(error) !== index.tempName) throw error;
    const keys = await findDuplicates(session, plan, index, options.identifyingColumns);
    throw new FreshetError(
      'DUPLICATE_KEYS',
      `${index.liveName} cannot be unique: ${keys.join('; ')}.`,
      {
        table: `${plan.live.schema}.${plan.live.name}`,
        database: 'catalog',
        constraint: index.liveName,
        keys,
      },
      { cause: error },
    );
  }
}

function excludedError(plan: TempTablePlan, { liveName }: PlannedIndex, cause: unknown): FreshetError {
  const table = `${plan.live.schema}.${plan.live.name}`;
  const { detail } = cause as { detail?: string };
  return new FreshetError(
    'CONSTRAINT_VIOLATED',
    `New rows of ${table} violate ${liveName}: ${detail ?? messageOf(cause)}`,
    { table },
    { cause },
  );
}

/** Takes the next index again and again until there is none; several of these share the list. */
async function buildFrom(
  queue: PlannedIndex[],
  url: string,
  runId: string,
  options: IndexBuildOptions,
  build: (session: Session, index: PlannedIndex) => Promise<void>,
): Promise<void> {
  await withSession(url, buildSessionOf(runId), async (session) => {
    if (options.maintenanceWorkMem !== undefined) {
      await session.query("select set_config('maintenance_work_mem', $1, false)", [
        options.maintenanceWorkMem,
      ]);
    }
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) await build(session, index);
  });
}

async function buildIndexes(
  url: string,
  plan: TempTablePlan,
  indexes: readonly PlannedIndex[],
  options: IndexBuildOptions,
): Promise<void> {
  await withTempTable(url, plan, async (_session, oid) => {
    const queue = [...indexes];
    let done = 0;
    const build = async (session: Session, index: PlannedIndex): Promise<void> => {
      await buildNamingDuplicates(session, plan, oid, index, options);
      done += 1;
      failpoint(isKey(index) ? 'keys.key' : 'constraints.index');
      options.onIndexBuilt?.(index.liveName, done, indexes.length);
    };
    const connections = Math.max(1, Math.min(options.connections ?? 1, indexes.length));
    const builders = Array.from({ length: connections }, () =>
      buildFrom(queue, url, plan.runId, options, build),
    );
    const outcomes = await Promise.allSettled(builders);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  });
}

/**
 * Builds primary key, UNIQUE and exclusion constraints and unique indexes: this is the uniqueness check. DUPLICATE_KEYS names up to ten
 * offending keys with the rows that have them; rows that an exclusion constraint forbids are CONSTRAINT_VIOLATED. Safe to run twice and beside itself.
 */
export async function buildUniqueKeys(
  url: string,
  plan: TempTablePlan,
  options: IndexBuildOptions = {},
): Promise<void> {
  // One at a time: adding a constraint locks the table against the other builds anyway.
  const unique = plannedIndexes(plan).filter(isKey);
  await buildIndexes(url, plan, unique, { ...options, connections: 1 });
}

/** Builds the other indexes, several at a time. Safe to run twice and beside itself. */
export async function buildOtherIndexes(
  url: string,
  plan: TempTablePlan,
  options: IndexBuildOptions = {},
): Promise<void> {
  const others = plannedIndexes(plan).filter((index) => !isKey(index));
  await buildIndexes(url, plan, others, options);
}
