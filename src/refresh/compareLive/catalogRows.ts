import { zeroCounts } from '../../copy/counts.js';
import type { PlannedTable } from '../../copy/prepareTables.js';
import { buildRowRewriter } from '../../copy/rowRewriter.js';
import { selectFields } from '../../copy/scanQueries.js';
import { openCopyOut } from '../../copy/streams.js';
import { verifyClockSkewMinutes, verifyValuesMax } from '../../limits.js';
import { copyLines, fieldBounds } from '../../postgres/copyText.js';
import { quoteIdentifier, quoteLiteral } from '../../postgres/identifiers.js';
import type { Session } from '../../postgres/session.js';
import { readAsLiveTypes, type FieldRow } from './readValues.js';
import { planValues, type ComparedColumns } from './rowColumns.js';
import { digestFields, encodeRecord, rowFlag } from './rowRecord.js';
import type { SortedRows } from './spill.js';

/** A table of the catalog, and what a refresh would make of its rows. */
export interface CatalogTable {
  readonly planned: PlannedTable;
  readonly columns: ComparedColumns;
  /** Rows that are newer are told apart; null = nothing is. */
  readonly snapshotAt: Date | null;
}

export interface CatalogCounts {
  readonly rows: number;
  /** Rows that are new or changed since the snapshot. */
  readonly changedSince: number;
}

const times = { created: 'created_on', updated: 'updated_on' } as const;

/** Whether the catalog says when a row changed. */
export function isDated({ planned, snapshotAt }: CatalogTable): boolean {
  return snapshotAt !== null && planned.scan.upstream.columns.has(times.updated);
}

/**
 * Reads the rows of the catalog's snapshot, makes of each what the copy would make of it, by the copy's own rules, and sorts them into files. One
 * sequential scan; memory is flat.
 */
export async function sortCatalogRows(
  { catalog, api }: { readonly catalog: Session; readonly api: Session },
  table: CatalogTable,
  into: SortedRows,
  onRows: (rows: number) => void,
): Promise<CatalogCounts> {
  const { planned } = table;
  const values = planValues(planned);
  const rewrite = buildRowRewriter(planned.mapping, planned.tagRules, planned.scan.plan, zeroCounts());
  const counts = { rows: 0, changedSince: 0 };
  for await (const lines of copyLines(openCopyOut(catalog, 'catalog', selectWithFlag(table)))) {
    for (let start = 0; start < lines.length; start += verifyValuesMax) {
      const rows: (FieldRow & { flag: number })[] = [];
      for (const line of lines.slice(start, start + verifyValuesMax)) {
        const flag = line[0] ?? rowFlag.plain;
        if (flag !== rowFlag.plain) counts.changedSince += 1;
        const row = line.subarray(2);
        const rewritten = rewrite === null ? row : rewrite(row);
        if (rewritten === null && flag === rowFlag.plain) continue;
        const isLeftOut = rewritten === null;
        rows.push({
          flag: isLeftOut ? rowFlag.leftOut : flag,
          isChanged: !isLeftOut && rewritten !== row,
          fields: fieldsOfLine(rewritten ?? row),
        });
      }
      await readAsLiveTypes(api, rows, values);
      for (const row of rows) into.add(toRecord(row, table.columns));
    }
    counts.rows += lines.length;
    onRows(counts.rows);
  }
  return counts;
}

/** Views of the line's fields. */
export function fieldsOfLine(line: Buffer): Buffer[] {
  const bounds = fieldBounds(line);
  return bounds.slice(1).map((end, i) => line.subarray(bounds[i], end - 1));
}

function toRecord({ flag, fields }: FieldRow & { flag: number }, columns: ComparedColumns): Buffer {
  const compared = columns.places.map((place) => fields[place] ?? Buffer.alloc(0));
  return encodeRecord({ flag, id: Buffer.alloc(0), ...identify(compared, columns) });
}

/** Key, identifier and digests of a row's compared values. */
export function identify(
  compared: readonly Buffer[],
  { key, identifier }: ComparedColumns,
): { key: Buffer; identifier: Buffer; digests: Buffer } {
  const keyFields = key.map((place) => compared[place]?.toString('latin1') ?? '');
  return {
    key: Buffer.from(keyFields.join('\t'), 'latin1'),
    identifier: (identifier === null ? undefined : compared[identifier]) ?? Buffer.alloc(0),
    digests: digestFields(compared),
  };
}

/** The rows' fields, behind a letter that says whether a row is newer than the snapshot. */
function selectWithFlag({ planned, snapshotAt }: CatalogTable): string {
  const { scan } = planned;
  const { narrow, wide } = scan.plan;
  // Times to come tell nothing: records have dates such as infinity.
  const since = (column: string): string | null =>
    snapshotAt === null || !scan.upstream.columns.has(column)
      ? null
      : `${quoteIdentifier(column)} > ${quoteLiteral(snapshotAt.toISOString())}::timestamptz and ${quoteIdentifier(column)} <= now() + interval '${verifyClockSkewMinutes} minutes'`;
  const created = since(times.created);
  const updated = since(times.updated);
  const letter = (flag: number): string => `'${String.fromCharCode(flag)}'`;
  const cases = [
    ...(created === null ? [] : [`when ${created} then ${letter(rowFlag.new)}`]),
    ...(updated === null ? [] : [`when ${updated} then ${letter(rowFlag.updated)}`]),
  ];
  const flag =
    cases.length === 0 ? letter(rowFlag.plain) : `case ${cases.join(' ')} else ${letter(rowFlag.plain)} end`;
  // The first rows by key: new ones would take the place of those that were copied.
  const condition = scan.recordLimit === null || created === null ? null : `(${created}) is not true`;
  return selectFields(scan, [flag, ...[...narrow, ...wide].map(({ expression }) => expression)], condition);
}
