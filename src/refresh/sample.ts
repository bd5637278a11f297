import { sampleBatchRows, sampleRepeatSeed } from '../limits.js';
import { buildDocumentsById } from '../indexing/documentsById.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.js';
import { compareDocument, fetchDocuments } from '../search/documents.js';
import type { Session } from '../postgres/session.js';
import type { RunContext } from './context.js';
import { indexNamesOf } from './indexNames.js';
import { countSources } from './steps/count.js';
import type { SampledDifference } from './verdicts.js';

export interface Sampled {
  readonly rows: number;
  readonly differences: readonly SampledDifference[];
}

/** Compares rows of the table, field by field, with their documents in the index. */
export async function compareSample(
  context: RunContext,
  table: QualifiedName,
  index: string,
): Promise<Sampled> {
  const ids = await chooseSample(context, table);
  const differences: SampledDifference[] = [];
  let rows = 0;
  for (let start = 0; start < ids.length; start += sampleBatchRows) {
    const compared = await compareBatch(context, table, index, ids.slice(start, start + sampleBatchRows));
    rows += compared.rows;
    differences.push(...compared.differences);
  }
  return { rows, differences };
}

/**
 * Ids of the sample: the newest ones, of each source a share of its own (a rare source that went wrong would hide in a plain sample), and rows
 * from all over the table. Of a large table only some blocks are read.
 */
async function chooseSample(context: RunContext, table: QualifiedName): Promise<bigint[]> {
  const { main, sourceColumn } = context.definition.media;
  const wanted = context.definition.environment.gate.sampleRows;
  const id = `t.${quoteIdentifier(main.idColumn)}`;
  const source = `t.${quoteIdentifier(sourceColumn)}`;
  const from = quoteQualified(table);
  const sources = Object.keys(await countSources(context, indexNamesOf(context).main));
  const { rows } = await context.withApi(async (session) => {
    const share = await readSampleShare(session, from, wanted);
    return session.query<{ id: string }>(
      `with newest as (select ${id} as id from ${from} t order by ${id} desc limit $1::int / 10),
       rare as (select picked.id from unnest($2::text[]) as s (source) cross join lateral (
         select ${id} as id from ${from} t where ${source} = s.source limit greatest(20, $1::int / greatest(1, cardinality($2::text[])) / 2)) picked),
       spread as (select ${id} as id from ${from} t tablesample system (${share}) repeatable (${sampleRepeatSeed})
         order by hashint8(${id}) limit $1)
       select id::text from newest union select id::text from rare union select id::text from spread`,
      [wanted, sources],
    );
  });
  return rows.map((row) => BigInt(row.id));
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
  table: QualifiedName,
  index: string,
  ids: readonly bigint[],
): Promise<Sampled> {
  const expected = await buildDocumentsById({
    apiUrl: context.environment.apiUrl,
    media: context.definition.media,
    table,
    runId: context.run.id,
    ids,
  });
  const found = await fetchDocuments(context.search, index, ids.map(String));
  const differences = expected.flatMap(({ id, document }): SampledDifference[] => {
    const other = found.get(id);
    if (other === undefined || other === null) return [{ id, fields: null }];
    const fields = compareDocument(document, other);
    return fields.length === 0 ? [] : [{ id, fields }];
  });
  const known = new Set(expected.map(({ id }) => id));
  const unexpected = [...found].flatMap(([id, document]) => (document === null || known.has(id) ? [] : [id]));
  return {
    rows: ids.length,
    differences: [...differences, ...unexpected.map((id) => ({ id, fields: ['should not be indexed'] }))],
  };
}
