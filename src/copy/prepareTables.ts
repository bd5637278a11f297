import type { TableMapping, TagRules } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { recordApplied } from '../postgres/applied.js';
import { assertIdsFit, firstNewId, readIdSequence } from '../postgres/sequences.js';
import { describeTable, type TableShape } from '../postgres/tableShape.js';
import { createTempTable } from '../postgres/tempTable.js';
import { planColumns } from './columnPlan.js';
import type { CopySessions, PreparedTable } from './copyTable.js';
import { countNew, loadKeys, type KeyTable } from './keyJoin.js';
import { describeRelation } from './relations.js';
import { planSettings } from './scanQueries.js';
import type { CopyOptions } from './types.js';

/** A table whose keys are read. */
export interface KeyedTable {
  readonly mapping: TableMapping;
  readonly tagRules: TagRules | null;
  readonly keyTable: KeyTable;
  readonly secondsBefore: number;
}

/** A table whose columns are planned. */
export type PlannedTable = Omit<KeyedTable, 'keyTable' | 'secondsBefore'> & Pick<KeyTable, 'scan' | 'live'>;

/** Plans all tables before anything is read: what is missing on a side ends the copy here. Throws TABLE_MISSING, COLUMN_MISSING. */
export async function planTables(sessions: CopySessions, options: CopyOptions): Promise<PlannedTable[]> {
  const { media, recordLimit } = options;
  const planned: PlannedTable[] = [];
  for (const mapping of [media.main, ...media.additional]) {
    const tagRules = mapping === media.main ? media.tagRules : null;
    const upstream = await describeRelation(sessions.catalog, mapping.upstream, 'catalog');
    const live = await describeRelation(sessions.target, mapping.downstream, 'API database');
    const plan = planColumns(mapping, tagRules?.column ?? null, upstream, live);
    planned.push({ mapping, tagRules, live, scan: { upstream, plan, recordLimit } });
  }
  for (const list of listAppliedTables(options))
    await describeRelation(sessions.target, list, 'API database');
  return planned;
}

/** Reads the keys of one table. Throws EMPTY_CATALOG, NULL_KEYS, DUPLICATE_KEYS. */
export async function keyTable(
  sessions: CopySessions,
  planned: PlannedTable,
  position: number,
  options: CopyOptions,
): Promise<KeyedTable> {
  const startedAt = performance.now();
  const { mapping, scan, live } = planned;
  const rowsExpected = Math.min(scan.upstream.rowsEstimated, options.recordLimit ?? Infinity);
  await sessions.catalog.query(planSettings(scan));
  const keys = await loadKeys(sessions, scan, live, position, (rowsKeyed) =>
    options.onProgress({
      table: mapping.downstream,
      rowsKeyed,
      rowsCopied: 0,
      rowsExpected: Math.max(rowsExpected, rowsKeyed),
    }),
  );
  if (keys.rows === 0 && position === 0 && !options.allowEmpty) {
    throw new FreshetError('EMPTY_CATALOG', `${mapping.upstream} in the catalog has no rows.`, {
      table: mapping.upstream,
    });
  }
  const secondsBefore = (performance.now() - startedAt) / 1000;
  return { mapping, tagRules: planned.tagRules, keyTable: keys, secondsBefore };
}

/** Records which deletions and sensitive marks this run takes into account, in the transaction that makes use of them. */
export async function recordAppliedTables(sessions: CopySessions, options: CopyOptions): Promise<void> {
  for (const list of listAppliedTables(options)) await recordApplied(sessions.target, options.runId, list);
}

function listAppliedTables({ media }: CopyOptions): string[] {
  const deleted = [media.main, ...media.additional].map((mapping) => mapping.deletedMediaTable);
  return [...new Set([...deleted, media.sensitiveMediaTable])].filter((name) => name !== null);
}

/** Makes the empty temp table and finds the first new id, in the target's transaction. Throws SEQUENCE_EXHAUSTED. */
export async function prepareTable(
  sessions: CopySessions,
  keyed: KeyedTable,
  snapshotAt: Date,
  options: CopyOptions,
): Promise<PreparedTable> {
  const { mapping } = keyed;
  const { target } = sessions;
  const shape = await describeTable(target, keyed.keyTable.live.name);
  const first = await readFirstNewId(sessions, keyed, shape);
  failpoint('copy.beforeCreate');
  const tempTable = await createTempTable(target, {
    shape,
    addedColumns: mapping.addedColumns,
    runId: options.runId,
    media: options.media.name,
    snapshotAt,
    version: options.version,
    isRunOver: options.isRunOver,
  });
  return { ...keyed, tempTable, firstNewId: first };
}

/** New records are counted only where the ids might not suffice for all of them. */
async function readFirstNewId(sessions: CopySessions, keyed: KeyedTable, shape: TableShape): Promise<bigint> {
  const { mapping, keyTable: keys } = keyed;
  const ids = await readIdSequence(sessions.target, shape, mapping.idColumn);
  const first = firstNewId(ids);
  let expectedNew = BigInt(keys.rows);
  if (first + expectedNew > ids.typeMax) expectedNew = await countNew(sessions.keys, keys, mapping.idColumn);
  assertIdsFit({ first, expectedNew, typeMax: ids.typeMax }, ids);
  return first;
}
