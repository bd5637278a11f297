import type { TableMapping, TagRules } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { assertIdsFit, firstNewId, readIdSequence } from '../postgres/sequences.js';
import { describeTable, type TableShape } from '../postgres/tableShape.js';
import { createTempTable } from '../postgres/tempTable.js';
import type { AppliedList } from './appliedLists.js';
import { columnMissing, identifierColumn, planColumns } from './columnPlan.js';
import type { CopySessions, PreparedTable } from './copyTable.js';
import { explained } from './failures.js';
import { countNew, joinKeys, loadKeys, type KeyTable } from './keyJoin.js';
import { describeRelation } from './relations.js';
import { planSettings, type Scan } from './scanQueries.js';
import type { CopyOptions } from './types.js';

/** A table whose columns are planned. */
export interface PlannedTable {
  readonly mapping: TableMapping;
  readonly tagRules: TagRules | null;
  readonly scan: Scan;
  readonly live: KeyTable['live'];
}

/** A table whose keys are read. */
export interface KeyedTable {
  readonly mapping: TableMapping;
  readonly tagRules: TagRules | null;
  readonly keyTable: KeyTable;
  readonly secondsBefore: number;
}

/** A table whose keys are joined with the live rows. */
export interface JoinedTable extends KeyedTable {
  readonly shape: TableShape;
  readonly firstNewId: bigint;
}

/** Plans all tables before anything is read: what is missing on a side ends the copy here. Throws TABLE_MISSING, COLUMN_MISSING. */
export async function planTables(
  sessions: Pick<CopySessions, 'catalog' | 'target'>,
  options: Pick<CopyOptions, 'media' | 'recordLimit'>,
): Promise<PlannedTable[]> {
  const { media, recordLimit } = options;
  const planned: PlannedTable[] = [];
  for (const mapping of [media.main, ...media.additional]) {
    const tagRules = mapping === media.main ? media.tagRules : null;
    const upstream = await describeRelation(sessions.catalog, mapping.upstream, 'catalog');
    const live = await describeRelation(sessions.target, mapping.downstream, 'API database');
    const plan = planColumns(mapping, tagRules?.column ?? null, upstream, live);
    planned.push({ mapping, tagRules, live, scan: { upstream, plan, recordLimit } });
  }
  for (const called of listAppliedTables(options)) {
    const list = await describeRelation(sessions.target, called, 'API database');
    if (!list.columns.has(identifierColumn)) throw columnMissing(identifierColumn, list);
  }
  return planned;
}

/** The deleted-media and sensitive-media tables of a media type, each once. */
export function listAppliedTables({ media }: Pick<CopyOptions, 'media'>): string[] {
  const deleted = [media.main, ...media.additional].map((mapping) => mapping.deletedMediaTable);
  return [...new Set([...deleted, media.sensitiveMediaTable])].filter((name) => name !== null);
}

/** Reads the keys of the table at `position`, main table first. Throws EMPTY_CATALOG, NULL_KEYS, DUPLICATE_KEYS. */
export async function readKeys(
  sessions: CopySessions,
  { mapping, tagRules, scan, live }: PlannedTable,
  position: number,
  options: CopyOptions,
): Promise<KeyedTable> {
  const startedAt = performance.now();
  const rowsExpected = Math.min(scan.upstream.rowsEstimated, options.recordLimit ?? Infinity);
  const onRows = (rowsKeyed: number): void =>
    options.onProgress({
      table: mapping.downstream,
      rowsKeyed,
      rowsCopied: 0,
      rowsExpected: Math.max(rowsExpected, rowsKeyed),
    });
  await explained('catalog', sessions.catalog.query(planSettings(scan)));
  const keyTable = await loadKeys(sessions, scan, live, position, onRows);
  if (keyTable.rows === 0 && position === 0 && !options.allowEmpty) {
    throw new FreshetError('EMPTY_CATALOG', `${mapping.upstream} in the catalog has no rows.`, {
      table: mapping.upstream,
    });
  }
  return { mapping, tagRules, keyTable, secondsBefore: (performance.now() - startedAt) / 1000 };
}

/** Finds the live ids and the first new one. Throws SEQUENCE_EXHAUSTED: new records are counted where ids might not suffice for all. */
export async function findIds(
  { keys, target }: CopySessions,
  keyed: KeyedTable,
  lists: readonly AppliedList[],
): Promise<JoinedTable> {
  const startedAt = performance.now();
  const { mapping, keyTable } = keyed;
  const deleted = lists.find((list) => list.relation === mapping.deletedMediaTable) ?? null;
  await joinKeys(keys, keyTable, mapping.idColumn, deleted);
  const shape = await describeTable(target, keyTable.live.name);
  const ids = await readIdSequence(target, shape, mapping.idColumn);
  const first = firstNewId(ids);
  const mightLack = first + BigInt(keyTable.rows) > (ids.maxValue ?? ids.typeMax);
  const expectedNew = mightLack ? await countNew(keys, keyTable) : 0n;
  if (expectedNew > 0n) assertIdsFit({ first, expectedNew, typeMax: ids.typeMax }, ids);
  const secondsBefore = keyed.secondsBefore + (performance.now() - startedAt) / 1000;
  return { ...keyed, shape, firstNewId: first, secondsBefore };
}

/** Makes the empty temp table, in the target's transaction. */
export async function prepareTable(
  target: CopySessions['target'],
  joined: JoinedTable,
  snapshotAt: Date,
  options: CopyOptions,
): Promise<PreparedTable> {
  failpoint('copy.beforeCreate');
  const tempTable = await createTempTable(target, {
    shape: joined.shape,
    addedColumns: joined.mapping.addedColumns,
    runId: options.runId,
    media: options.media.name,
    snapshotAt,
    version: options.version,
    isRunOver: options.isRunOver,
  });
  return { ...joined, tempTable };
}
