import { sampleBatchRows } from '../limits.js';
import { buildDocumentsById } from '../indexing/documentsById.js';
import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.js';
import { compareDocument, fetchDocuments } from '../search/documents.js';
import type { RunContext } from './context.js';
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
 * Ids of the sample: the newest ones, and of each source a share of its own: a rare source that went wrong would hide in a plain sample.
 * Sources' rows are chosen by a hash of the id, so that a second look compares the same rows.
 */
async function chooseSample(context: RunContext, table: QualifiedName): Promise<bigint[]> {
  const { definition } = context;
  const { main, sourceColumn } = definition.media;
  const wanted = definition.environment.gate.sampleRows;
  const id = `t.${quoteIdentifier(main.idColumn)}`;
  const source = `t.${quoteIdentifier(sourceColumn)}`;
  const from = quoteQualified(table);
  const { rows } = await context.withApi((session) =>
    session.query<{ id: string }>(
      `with newest as (select ${id} as id from ${from} t order by ${id} desc limit $1 / 10),
       size as (select greatest(reltuples, 1) as rows from pg_class where oid = $2::regclass),
       thinned as (
         select ${id} as id, ${source} as source from ${from} t, size
         where size.rows <= $1 * 4 or hashint8(${id}) & 2147483647 < 2147483647.0 * $1 * 4 / size.rows),
       ranked as (select id, row_number() over (partition by source order by hashint8(id), id) as place from thinned),
       spread as (select id from ranked order by place, id limit $1)
       select id::text from newest union select id::text from spread`,
      [wanted, from],
    ),
  );
  return rows.map((row) => BigInt(row.id));
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
