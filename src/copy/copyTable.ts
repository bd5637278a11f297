import { pipeline } from 'node:stream/promises';
import type { TableMapping, TagRules } from '../config/types.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import { zeroCounts, type RowCounts } from './counts.js';
import { explained, explainFailure } from './failures.js';
import { openJoinedKeys, type KeyTable } from './keyJoin.js';
import { buildRowRewriter } from './rowRewriter.js';
import { planSettings, selectRows } from './scanQueries.js';
import { SentRows } from './sentRows.js';
import { openCopyIn, openCopyOut } from './streams.js';
import type { TableCopyResult } from './types.js';
import { zipRows } from './zip.js';

/** The three sessions of a copy: the snapshot, the join, and the transaction that makes and fills the temp tables. */
export interface CopySessions {
  readonly catalog: Session;
  readonly keys: Session;
  readonly target: Session;
}

/** A table whose keys are read, with its empty temp table. */
export interface PreparedTable {
  readonly mapping: TableMapping;
  readonly tagRules: TagRules | null;
  readonly keyTable: KeyTable;
  readonly tempTable: { readonly oid: number; readonly name: QualifiedName };
  readonly firstNewId: bigint;
  readonly secondsBefore: number;
}

/** Second pass: the wide scan beside the key join, into the temp table. */
export async function copyTable(
  sessions: CopySessions,
  table: PreparedTable,
  onCounts: (counts: RowCounts) => void,
): Promise<TableCopyResult> {
  const startedAt = performance.now();
  const { mapping, keyTable, firstNewId } = table;
  const counts = zeroCounts();
  const { plan } = keyTable.scan;
  const sent = new SentRows(1 + plan.kept.length, plan.narrow.length);
  await explained('catalog', sessions.catalog.query(planSettings(keyTable.scan)));
  const joined = openJoinedKeys(sessions.keys, keyTable);
  const rows = openCopyOut(sessions.catalog, 'catalog', selectRows(keyTable.scan));
  const target = openCopyIn(sessions.target, copyStatement(table));
  const zipped = zipRows(rows, joined, {
    table: mapping.upstream,
    narrowCount: plan.narrow.length,
    firstNewId,
    rewrite: buildRowRewriter(mapping, table.tagRules, plan, counts),
    counts,
    sent,
    onBatch: () => onCounts(counts),
  });
  try {
    await pipeline(zipped, target);
  } catch (error) {
    throw explainFailure(error, {
      database: 'API database',
      table: mapping.downstream,
      keyOfRow: (row) => sent.keyOf(row),
    });
  }
  return resultOf(table, counts, table.secondsBefore + (performance.now() - startedAt) / 1000);
}

/** Frozen where it is loaded: an old reader would else see the table empty after the swap, and vacuum would write it all once more. */
function copyStatement({ mapping, tempTable, keyTable: { scan } }: PreparedTable): string {
  const { kept, narrow, wide } = scan.plan;
  const columns = [mapping.idColumn, ...[...kept, ...narrow, ...wide].map((column) => column.name)];
  return `copy ${quoteQualified(tempTable.name)} (${columns.map(quoteIdentifier).join(', ')}) from stdin with (freeze)`;
}

function resultOf(table: PreparedTable, counts: RowCounts, seconds: number): TableCopyResult {
  const { plan } = table.keyTable.scan;
  return {
    table: table.mapping.downstream,
    tempTable: table.tempTable,
    rowsRead: counts.read,
    rowsCopied: counts.copied,
    leftOutDeleted: counts.leftOutDeleted,
    leftOutByTransform: counts.leftOutByTransform,
    tagsDropped: counts.tagsDropped,
    rowsChanged: counts.changed,
    malformedTags: counts.malformedTags,
    idsKept: counts.idsKept,
    idsNew: counts.idsNew,
    nextId: table.firstNewId + BigInt(counts.idsNew),
    droppedColumns: plan.dropped,
    defaultedColumns: plan.defaulted,
    seconds,
    bytes: counts.bytes,
  };
}
