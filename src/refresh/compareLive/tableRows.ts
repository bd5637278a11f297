import { fetchDocumentsMax } from '../../limits.js';
import { decodeField } from '../../postgres/copyText.js';
import type { Session } from '../../postgres/session.js';
import type { ExpectedKind, FaultKind, Finding, Findings } from './findings.js';
import type { ComparedColumns } from './rowColumns.js';
import { differingColumns, rowFlag, type RowRecord } from './rowRecord.js';
import { unequalPairs, type RowPair, type SortedRows } from './spill.js';
import type { LiveTable } from './target.js';
import { findApplied, findListed } from './writersLists.js';

export interface TableComparison {
  readonly api: Session;
  readonly table: LiveTable;
  readonly columns: ComparedColumns;
  readonly catalog: SortedRows;
  readonly live: SortedRows;
  /**
   * Rows of this table have no time of change in the catalog, where others of the media type are known to have changed since: a difference
   * may be older or newer than the snapshot.
   */
  readonly isUndated: boolean;
  readonly findings: Findings;
}

/** What is to be told of a pair; a missing row depends on what API writers did. */
interface Told extends Omit<Finding, 'kind'> {
  readonly kind: FaultKind | ExpectedKind;
  readonly identifier: string;
}

/** Tells the rows in which catalog and live table differ. */
export async function compareRows(comparison: TableComparison): Promise<void> {
  let told: Told[] = [];
  for (const pair of unequalPairs(comparison.catalog, comparison.live)) {
    const one = judgePair(pair, comparison);
    if (one !== null) told.push(one);
    if (told.length < fetchDocumentsMax) continue;
    await tellAll(comparison, told);
    told = [];
  }
  await tellAll(comparison, told);
}

/** Null where there is nothing to tell. Pure. */
function judgePair({ catalog, live }: RowPair, { table, columns, isUndated }: TableComparison): Told | null {
  const of = catalog ?? live;
  if (of === null) return null;
  const told = (kind: Told['kind'], differing: readonly string[] = []): Told => ({
    kind,
    place: table.mapping.downstream,
    key: keyOf(of),
    id: live === null ? null : live.id.toString('latin1'),
    columns: differing,
    identifier: of.identifier.toString('utf8'),
  });
  if (live !== null && live.flag === rowFlag.deleted) return told('deletedRowKept');
  if (catalog === null) return told(isUndated ? 'undated' : 'rowExtra');
  if (catalog.flag === rowFlag.leftOut) return live === null ? null : told('changedInCatalog');
  const isNewer = catalog.flag !== rowFlag.plain;
  if (live === null) {
    if (isNewer) return told('newInCatalog');
    return told(isUndated ? 'undated' : 'rowMissing');
  }
  const differing = differingColumns(catalog.digests, live.digests).map(
    (place) => columns.names[place] ?? '?',
  );
  if (isNewer) return told('changedInCatalog', differing);
  return told(isUndated ? 'undated' : 'rowChanged', differing);
}

function keyOf({ key }: RowRecord): string {
  const fields = key.toString('latin1').split('\t');
  return fields
    .map((field) => decodeField(Buffer.from(field, 'latin1'), 0, field.length) ?? 'null')
    .join(', ');
}

/** A missing row of a record that is listed as deleted is as it should be; so is one that was, when the table was copied. */
async function tellAll({ api, table, findings }: TableComparison, told: readonly Told[]): Promise<void> {
  const { deletedMediaTable } = table.mapping;
  const isAbsent = ({ kind, id }: Told): boolean =>
    id === null && (kind === 'rowMissing' || kind === 'newInCatalog' || kind === 'undated');
  const identifiers = told.filter(isAbsent).map(({ identifier }) => identifier);
  const listed = await findListed(api, deletedMediaTable, identifiers);
  const applied = await findApplied(api, table.runId, deletedMediaTable, identifiers);
  for (const { identifier, ...finding } of told) {
    if (!isAbsent({ identifier, ...finding })) await findings.add(finding);
    else if (listed.has(identifier)) {
      if (!applied.has(identifier)) await findings.add({ ...finding, kind: 'deletedByApi' });
    } else if (applied.has(identifier)) await findings.add({ ...finding, kind: 'deletionWithdrawn' });
    else await findings.add(finding);
  }
}
