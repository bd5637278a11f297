import { sampleBatchRows, sampleRepeatSeed } from '../limits.js';
import { buildDocumentsById } from '../indexing/documentsById.js';
import type { SearchDocument } from '../documents/types.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.js';
import { compareDocument, fetchDocuments } from '../search/documents.js';
import type { Session } from '../postgres/session.js';
import type { RunContext } from './context.js';
import { eligibleCondition } from './eligibleRows.js';
import { indexNamesOf } from './indexNames.js';
import { countSources } from './steps/count.js';
import type { Sampled, SampledDifference } from './verdicts.js';

/** A row of the sample. One that is not eligible must have no document. */
interface ChosenRow {
  readonly id: string;
  readonly eligible: boolean;
}

/** Where the rows are and where their documents. */
interface Place {
  readonly table: QualifiedName;
  readonly index: string;
  /** Ids of rejected documents: no document may be possible of their rows. */
  readonly rejected: ReadonlySet<string>;
}

/** Compares rows of the table, field by field, with their documents in the index. */
export async function compareSample(context: RunContext, place: Place): Promise<Sampled> {
  const chosen = await chooseSample(context, place.table);
  const differences: SampledDifference[] = [];
  let compared = 0;
  let vanished = 0;
  for (let start = 0; start < chosen.length; start += sampleBatchRows) {
    const batch = await compareBatch(context, place, chosen.slice(start, start + sampleBatchRows));
    compared += batch.compared;
    vanished += batch.vanished;
    differences.push(...batch.differences);
  }
  return { compared, vanished, differences };
}

/**
 * Rows of the sample: the newest ones, of each source a share of its own (a rare source that went wrong would hide in a plain sample), and rows
 * from all over the table. Of a large table only some blocks are read; where they hold too few eligible rows, others are added.
 */
async function chooseSample(context: RunContext, table: QualifiedName): Promise<ChosenRow[]> {
  const wanted = context.definition.environment.gate.sampleRows;
  const sources = Object.keys(await countSources(context, indexNamesOf(context).main));
  return context.withApi(async (session) => {
    const rows = await chooseSpread(session, context, table, wanted, sources);
    const lacking = wanted - rows.filter((row) => row.eligible).length;
    return lacking <= 0 ? rows : [...rows, ...(await chooseOthers(session, context, table, lacking, rows))];
  });
}

async function chooseSpread(
  session: Session,
  context: RunContext,
  table: QualifiedName,
  wanted: number,
  sources: readonly string[],
): Promise<ChosenRow[]> {
  const { main, sourceColumn } = context.definition.media;
  const id = `t.${quoteIdentifier(main.idColumn)}`;
  const source = `t.${quoteIdentifier(sourceColumn)}`;
  const from = quoteQualified(table);
  const share = await readSampleShare(session, from, wanted);
  const { rows } = await session.query<ChosenRow>(
    `with newest as (select ${id} as id from ${from} t order by ${id} desc limit $1::int / 10),
     rare as (select picked.id from unnest($2::text[]) as s (source) cross join lateral (
       select ${id} as id from ${from} t where ${source} = s.source limit greatest(20, $1::int / greatest(1, cardinality($2::text[])) / 2)) picked),
     spread as (select ${id} as id from ${from} t tablesample system (${share}) repeatable (${sampleRepeatSeed})
       order by hashint8(${id}) limit $1),
     chosen as (select id from newest union select id from rare union select id from spread)
     select ${id}::text as id, ${eligibleCondition(context)} as eligible from ${from} t join chosen on chosen.id = ${id}`,
    [wanted, sources],
  );
  return rows;
}

/** Eligible rows that are not among the chosen ones, at most `rows`: as many as the table has when there are fewer. */
async function chooseOthers(
  session: Session,
  context: RunContext,
  table: QualifiedName,
  limit: number,
  chosen: readonly ChosenRow[],
): Promise<ChosenRow[]> {
  const id = `t.${quoteIdentifier(context.definition.media.main.idColumn)}`;
  const { rows } = await session.query<ChosenRow>(
    `select ${id}::text as id, true as eligible from ${quoteQualified(table)} t
     where ${eligibleCondition(context)} and not (${id} = any($2::bigint[])) limit $1`,
    [limit, chosen.map((row) => row.id)],
  );
  return rows;
}

/** Percent of the table's blocks that hold about twice the wanted rows. */
async function readSampleShare(session: Session, table: string, wanted: number): Promise<number> {
  const { rows } = await session.query<{ rows: number }>(
    'select reltuples::float8 as rows from pg_class where oid = $1::regclass',
    [table],
  );
  return Math.min(100, (200 * wanted) / Math.max(1, rows[0]?.rows ?? 1));
}

async function compareBatch(
  context: RunContext,
  { table, index, rejected }: Place,
  chosen: readonly ChosenRow[],
): Promise<Sampled> {
  const found = await fetchDocuments(
    context.search,
    index,
    chosen.map((row) => row.id),
  );
  const isMissing = (id: string): boolean => (found.get(id) ?? null) === null;
  const [unbuilt, built] = partition(chosen, ({ id }) => rejected.has(id) && isMissing(id));
  const expected = await buildDocumentsById({
    apiUrl: context.environment.apiUrl,
    media: context.definition.media,
    table,
    runId: context.run.id,
    ids: built.map((row) => BigInt(row.id)),
  });
  const known = new Set(expected.map(({ id }) => id));
  const [left, gone] = await partitionByPresence(
    context,
    table,
    built.filter(({ id, eligible }) => !known.has(id) && (eligible || !isMissing(id))),
  );
  return {
    compared: expected.length + unbuilt.filter((row) => row.eligible).length,
    vanished: gone.filter((row) => row.eligible).length,
    differences: [
      ...unbuilt.filter((row) => row.eligible).map(({ id }) => ({ id, fields: null })),
      ...expected.flatMap(({ id, document }) => differenceOf(id, document, found.get(id) ?? null)),
      ...left.filter(({ id }) => !isMissing(id)).map(({ id }) => ({ id, fields: ['should not be indexed'] })),
    ],
  };
}

function differenceOf(
  id: string,
  expected: SearchDocument,
  found: SearchDocument | null,
): SampledDifference[] {
  if (found === null) return [{ id, fields: null }];
  const fields = compareDocument(expected, found);
  return fields.length === 0 ? [] : [{ id, fields }];
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

/** Which of the rows are in the table still, and which API writers took out since they were chosen. */
async function partitionByPresence(
  context: RunContext,
  table: QualifiedName,
  chosen: readonly ChosenRow[],
): Promise<[ChosenRow[], ChosenRow[]]> {
  if (chosen.length === 0) return [[], []];
  const id = `t.${quoteIdentifier(context.definition.media.main.idColumn)}`;
  const { rows } = await context.withApi((session) =>
    session.query<{ id: string }>(
      `select ${id}::text as id from ${quoteQualified(table)} t where ${id} = any($1::bigint[])`,
      [chosen.map((row) => row.id)],
    ),
  );
  const present = new Set(rows.map((row) => row.id));
  return partition(chosen, (row) => present.has(row.id));
}
