import { templateTerms, type Lane } from './lane.js';
import { findLeftovers } from './leftovers.js';
import type { Flow } from './matrix.js';
import { documentOf, type Document } from './model/documents.js';
import { tablesOf, type Media, type TableModel } from './model/media.js';
import { compareRows, copiedRows, keyOf } from './model/rows.js';
import { compareShapes, readShape } from './model/shape.js';
import { readColumns, readIdentifiers, readRows, type Row } from './model/tables.js';
import { readFilteredTags } from './model/tags.js';
import { hasTerm } from './model/terms.js';
import {
  differences,
  listEntries,
  listKeptEntries,
  readView,
  shapedTables,
  type Baseline,
  type View,
} from './view.js';

export interface ExpectedEnd {
  readonly flow: Flow;
  readonly media: Media;
  readonly terms: readonly string[];
  /** Before the run. */
  readonly baseline: Baseline;
  /** Identifiers that are listed as deleted although their rows were left. */
  readonly leftRows: ReadonlySet<string>;
  /** Runs since, by state. */
  readonly runs: Readonly<Record<string, number>>;
}

/** What API writers have listed by now. */
interface Lists {
  readonly deleted: ReadonlySet<string>;
  readonly sensitive: ReadonlySet<string>;
}

/** Compares everything with what the specification says of it. @returns what differs, as sentences. */
export async function checkEnd(lane: Lane, expected: ExpectedEnd): Promise<string[]> {
  const { media, baseline } = expected;
  const view = await readView(lane, media);
  const lists = await lane.local.withApi(async (session): Promise<Lists> => ({
    deleted: await readIdentifiers(session, `api_deleted${media}`),
    sensitive: await readIdentifiers(session, `api_mature${media}`),
  }));
  const shape = await lane.local.withApi((session) => readShape(session, shapedTables(media)));
  return [
    ...(await checkTables(lane, expected, view, lists)),
    ...checkDocuments(expected, view, lists),
    ...compareShapes(baseline.shape, shape),
    ...(await checkEntries(lane, expected, view, lists)),
    ...(await findLeftovers(lane, expected)),
  ];
}

async function checkTables(lane: Lane, expected: ExpectedEnd, view: View, lists: Lists): Promise<string[]> {
  const { flow, baseline } = expected;
  // Nobody could refer to what was not live: everything that is listed as deleted has left it.
  const atRollback = { leftRows: new Set<string>(), before: baseline.previous };
  if (flow === 'rollback') return checkKept({ ...expected, ...atRollback }, view, lists);
  return copies(flow)
    ? checkCopied(lane, expected, view, lists)
    : checkKept({ ...expected, before: baseline.view.tables }, view, lists);
}

/** Whether other tables become live. */
export function copies(flow: Flow): boolean {
  return !['skip-copy', 'filtered-index', 'cancel'].includes(flow);
}

/** The tables are what the catalog's records become. */
async function checkCopied(
  lane: Lane,
  { media, baseline }: ExpectedEnd,
  view: View,
  lists: Lists,
): Promise<string[]> {
  const problems: string[] = [];
  for (const table of tablesOf[media]) {
    const expected = await expectCopied(lane, table, baseline, lists);
    problems.push(
      ...compareRows(table, expected, view.tables.get(table.live) ?? [], {
        firstNewId: (baseline.lastIds.get(table.live) ?? 0) + 1,
        since: baseline.at,
      }),
    );
  }
  return problems;
}

async function expectCopied(
  lane: Lane,
  table: TableModel,
  baseline: Baseline,
  { deleted }: Lists,
): Promise<Map<string, Row>> {
  const columns = await lane.local.withApi((session) => readColumns(session, table.live));
  return lane.local.withCatalog(async (catalog) =>
    copiedRows({
      table,
      columns,
      catalog: await readRows(catalog, table.upstream),
      before: baseline.view.tables.get(table.live) ?? [],
      deleted: table.deleted === null ? new Set<string>() : deleted,
      filteredTags: table.hasTags ? await readFilteredTags(catalog, table.upstream) : null,
    }),
  );
}

/** The tables are what those `before` were, without what the API deleted meanwhile. */
function checkKept(
  { media, baseline, leftRows, before }: ExpectedEnd & { readonly before: View['tables'] },
  view: View,
  { deleted }: Lists,
): string[] {
  return tablesOf[media].flatMap((table) => {
    const rows = (before.get(table.live) ?? []).filter((row) => {
      const identifier = row['identifier'] ?? '';
      return table.deleted === null || !deleted.has(identifier) || leftRows.has(identifier);
    });
    const expected = new Map(rows.map((row) => [keyOf(table, row), row]));
    return compareRows(table, expected, view.tables.get(table.live) ?? [], {
      firstNewId: 0,
      since: baseline.at,
    });
  });
}

/** Both indexes have the documents of the live rows; a filtered index that was rebuilt alone, or not at all, those of the documents before. */
function checkDocuments(expected: ExpectedEnd, view: View, lists: Lists): string[] {
  const { flow, baseline } = expected;
  // The filtered index of the generation before was made of the template's terms.
  const terms = flow === 'rollback' ? templateTerms : expected.terms;
  const main =
    copies(flow) || flow === 'skip-copy'
      ? documentsOfRows(expected, view, lists)
      : documentsBefore(baseline.view.main, expected, lists);
  const filtered =
    flow === 'cancel'
      ? documentsBefore(baseline.view.filtered, expected, lists)
      : new Map([...main].filter(([, document]) => !hasTerm(document, terms)));
  return [
    ...differences('documents', main, view.main),
    ...differences('filtered documents', filtered, view.filtered),
  ];
}

function documentsOfRows(
  { media }: ExpectedEnd,
  view: View,
  { deleted, sensitive }: Lists,
): Map<string, Document> {
  const rows = view.tables.get(tablesOf[media][0].live) ?? [];
  const eligible = rows.filter(
    (row) => row['removed_from_source'] !== 'true' && !deleted.has(row['identifier'] ?? ''),
  );
  return new Map(
    eligible.map((row) => [row['id'] ?? '', documentOf(media, row, sensitive.has(row['identifier'] ?? ''))]),
  );
}

/** What the API makes of the documents while no new index takes their place: it deletes some, marks some, and takes marks back. */
function documentsBefore(
  before: ReadonlyMap<string, Document>,
  { baseline: { sensitive: sensitiveBefore }, leftRows }: ExpectedEnd,
  { deleted, sensitive }: Lists,
): Map<string, Document> {
  const documents = new Map<string, Document>();
  for (const [id, document] of before) {
    const identifier = String(document['identifier']);
    if (deleted.has(identifier) && !leftRows.has(identifier)) continue;
    const isChanged = sensitive.has(identifier) !== sensitiveBefore.has(identifier);
    documents.set(id, isChanged ? { ...document, mature: sensitive.has(identifier) } : document);
  }
  return documents;
}

/** Entries of lists stay with the records that they refer to; those of records that vanished are kept aside. */
async function checkEntries(
  lane: Lane,
  expected: ExpectedEnd,
  view: View,
  { deleted }: Lists,
): Promise<string[]> {
  const { flow, media, baseline, leftRows, runs } = expected;
  const table = tablesOf[media][0].live;
  const ids = new Set((view.tables.get(table) ?? []).map((row) => row['id'] ?? ''));
  const identifiers = new Map(
    (baseline.view.tables.get(table) ?? []).map((row) => [row['id'] ?? '', row['identifier'] ?? '']),
  );
  const deletedByApi = (id: string): boolean => {
    const identifier = identifiers.get(id) ?? '';
    return deleted.has(identifier) && !leftRows.has(identifier);
  };
  const found = await listEntries(lane, media);
  const kept = await listKeptEntries(lane, media);
  const lost = baseline.entries.filter((entry) => !found.includes(entry) && !deletedByApi(recordOf(entry)));
  const isSwappedOnce = copies(flow) && flow !== 'recover' && runs['succeeded'] === 1;
  return [
    ...found
      .filter((entry) => !ids.has(recordOf(entry)))
      .map((entry) => `the list entry ${entry} refers to no record`),
    ...lost
      .filter((entry) => ids.has(recordOf(entry)))
      .map((entry) => `the list entry ${entry} is gone, its record is there`),
    ...lost
      .filter((entry) => isSwappedOnce && !kept.includes(entry))
      .map((entry) => `the list entry ${entry} was not kept aside`),
  ];
}

/** `list entry record` */
function recordOf(entry: string): string {
  return entry.split(' ')[2] ?? '';
}
