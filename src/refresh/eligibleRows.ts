import { idBucketsMax } from '../limits.js';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../postgres/identifiers.js';
import { withTransaction, type Session } from '../postgres/session.js';
import { countPerIdBucket } from '../search/counts.js';
import { fetchDocuments } from '../search/documents.js';
import type { RunContext } from './context.js';
import { indexedTableOf } from './tables.js';
import type { IdBucket } from './verdicts.js';

/** Condition on the indexed table `t`: rows that have a document, as the workers decide it for this run. */
export function eligibleCondition({ definition, run }: RunContext): string {
  const { removedColumn, main } = definition.media;
  const parts = ['true'];
  if (removedColumn !== null) parts.push(`t.${quoteIdentifier(removedColumn)} is not true`);
  if (main.deletedMediaTable !== null) {
    parts.push(
      `not exists (select from freshet.applied a where a.run_id = ${quoteLiteral(run.id)}
         and a.relation = ${quoteLiteral(main.deletedMediaTable)} and a.identifier = t.identifier)`,
    );
  }
  return parts.join(' and ');
}

/** Counts eligible rows and documents per bucket of ids. The rows are all of one moment; nobody but the run writes to the index. */
export async function countBuckets(
  context: RunContext,
  index: string,
  rejectedIds: readonly string[],
): Promise<IdBucket[]> {
  const { rows, buckets } = await readBuckets(context, rejectedIds);
  const boundaries = [...buckets.map((bucket) => bucket.start), (buckets.at(-1)?.end ?? 0) + 1];
  const { idColumn } = context.definition.media.main;
  const documents = await countPerIdBucket(context.search, index, boundaries, idColumn);
  const found = await fetchDocuments(context.search, index, rows);
  const missing = countByBucket(
    buckets,
    rows.filter((id) => (found.get(id) ?? null) === null),
  );
  return buckets.map((bucket, place) => ({
    ...bucket,
    missing: missing[place] ?? 0,
    documents: documents[place] ?? 0,
  }));
}

type RowBucket = Pick<IdBucket, 'start' | 'end' | 'rows'>;

/** In one snapshot: a rejected row that an API writer deletes between two looks must not be subtracted from a count that lacks it. */
async function readBuckets(
  context: RunContext,
  rejectedIds: readonly string[],
): Promise<{ buckets: RowBucket[]; rows: string[] }> {
  const table = quoteQualified(indexedTableOf(context));
  const id = `t.${quoteIdentifier(context.definition.media.main.idColumn)}`;
  const eligible = eligibleCondition(context);
  return context.withApi((session) =>
    withTransaction(
      session,
      async () => {
        const buckets = await readRowBuckets(session, table, id, eligible);
        const rejected = await session.query<{ id: string }>(
          `select ${id}::text as id from ${table} t where ${id} = any($1::bigint[]) and ${eligible}`,
          [rejectedIds.filter((rejectedId) => /^-?\d{1,18}$/.test(rejectedId))],
        );
        return { buckets, rows: rejected.rows.map((row) => row.id) };
      },
      'begin isolation level repeatable read read only',
    ),
  );
}

async function readRowBuckets(
  session: Session,
  table: string,
  id: string,
  eligible: string,
): Promise<RowBucket[]> {
  const bounds = await session.query<{ first: string | null; last: string | null }>(
    `select min(${id})::text as first, max(${id})::text as last from ${table} t`,
  );
  const first = Number(bounds.rows[0]?.first ?? 0);
  const last = Number(bounds.rows[0]?.last ?? 0);
  const width = Math.max(1, Math.ceil((last - first + 1) / idBucketsMax));
  const counted = await session.query<{ bucket: string; rows: string }>(
    `select (${id}::bigint - (${first})) / ${width} as bucket, count(*) as rows from ${table} t where ${eligible} group by 1`,
  );
  const rows = new Map(counted.rows.map((row) => [Number(row.bucket), Number(row.rows)]));
  return Array.from({ length: Math.ceil((last - first + 1) / width) }, (_, bucket) => ({
    start: first + bucket * width,
    end: first + (bucket + 1) * width - 1,
    rows: rows.get(bucket) ?? 0,
  }));
}

/** How many of the ids (row ids as text) each bucket has. Pure. */
export function countByBucket(
  buckets: readonly { readonly start: number; readonly end: number }[],
  ids: readonly string[],
): number[] {
  const numbers = ids.map(Number);
  return buckets.map(({ start, end }) => numbers.filter((id) => id >= start && id <= end).length);
}
