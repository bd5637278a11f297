import { FreshetError } from '../errors.js';
import { quoteIdentifier, quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { TableShape } from './tableShape.js';

/** Where the ids of a table come from and how far they got. */
export interface IdSequence {
  /** The sequence that the id column's default calls, or that stands behind the identity column; null where there is none. */
  readonly sequence: QualifiedName | null;
  readonly lastValue: bigint | null;
  readonly isCalled: boolean;
  readonly maxValue: bigint | null;
  /** The largest value of the column's type. */
  readonly typeMax: bigint;
  /** Null where the table is empty. */
  readonly maxId: bigint | null;
  /** Over all kept previous tables; null where there is none. */
  readonly previousMaxId: bigint | null;
}

const typeMaxima: Readonly<Record<string, bigint>> = {
  smallint: 2n ** 15n - 1n,
  integer: 2n ** 31n - 1n,
  bigint: 2n ** 63n - 1n,
};

function typeMaxOf(shape: TableShape, idColumn: string): bigint {
  const table = `${shape.name.schema}.${shape.name.name}`;
  const column = shape.columns.find(({ name }) => name === idColumn);
  if (column === undefined) {
    throw new FreshetError('COLUMN_MISSING', `${table} has no column ${idColumn}.`, {
      column: idColumn,
      table,
      database: 'API database',
    });
  }
  const max = typeMaxima[column.type];
  if (max !== undefined) return max;
  const feature = `id column ${idColumn} of type ${column.type} of ${table}`;
  throw new FreshetError('TABLE_FEATURE_UNSUPPORTED', `Ids must be integers: ${feature}.`, {
    features: [feature],
  });
}

const toBigint = (text: string | null | undefined): bigint | null =>
  text === null || text === undefined ? null : BigInt(text);

async function readMaxId(session: Session, table: QualifiedName, idColumn: string): Promise<bigint | null> {
  const { rows } = await session.query<{ max: string | null }>(
    `select max(${quoteIdentifier(idColumn)})::text as max from ${quoteQualified(table)}`,
  );
  return toBigint(rows[0]?.max);
}

interface SequenceState {
  lastValue: string;
  isCalled: boolean;
  maxValue: string;
}

async function readSequence(session: Session, sequence: QualifiedName): Promise<SequenceState | undefined> {
  const name = quoteQualified(sequence);
  const { rows } = await session.query<SequenceState>(
    `select s.last_value::text as "lastValue", s.is_called as "isCalled", q.seqmax::text as "maxValue"
     from ${name} s, pg_sequence q where q.seqrelid = $1::text::regclass`,
    [name],
  );
  return rows[0];
}

/** Previous tables, by their marks, that were made for the same live table. */
async function listPreviousTables(session: Session, live: QualifiedName): Promise<QualifiedName[]> {
  const { rows: found } = await session.query(`select where to_regclass('freshet.parts') is not null`);
  if (found.length === 0) return [];
  const { rows } = await session.query<QualifiedName>(
    `select p.schema_name as schema, p.name from freshet.parts p
     join pg_class c on c.oid = p.oid and c.relname = p.name
     join pg_namespace n on n.oid = c.relnamespace and n.nspname = p.schema_name
     where p.role = 'previous' and p.kind = 'table' and p.schema_name = $1 and p.live_name = $2`,
    [live.schema, live.name],
  );
  return rows;
}

function largest(values: readonly (bigint | null)[]): bigint | null {
  return values.reduce((max, value) => (max === null || (value !== null && value > max) ? value : max), null);
}

/** Reads the state of the ids of `idColumn` of the live table and of the kept previous ones. */
export async function readIdSequence(
  session: Session,
  shape: TableShape,
  idColumn: string,
): Promise<IdSequence> {
  const typeMax = typeMaxOf(shape, idColumn);
  const identity = shape.columns.find(({ name }) => name === idColumn)?.identity;
  const called = shape.sequences.find(({ defaultOf }) => defaultOf === idColumn);
  const sequence = identity?.name ?? called?.name ?? null;
  const state = sequence === null ? undefined : await readSequence(session, sequence);
  const previousMaxIds: (bigint | null)[] = [];
  for (const previous of await listPreviousTables(session, shape.name)) {
    previousMaxIds.push(await readMaxId(session, previous, idColumn));
  }
  return {
    sequence,
    lastValue: toBigint(state?.lastValue),
    isCalled: state?.isCalled ?? false,
    maxValue: toBigint(state?.maxValue),
    typeMax,
    maxId: await readMaxId(session, shape.name, idColumn),
    previousMaxId: largest(previousMaxIds),
  };
}

/** The first id that no record ever had: above the sequence, the live table and every kept previous table. At least 1. */
export function firstNewId(ids: IdSequence): bigint {
  const given = ids.lastValue === null || ids.isCalled ? ids.lastValue : ids.lastValue - 1n;
  const last = largest([given, ids.maxId, ids.previousMaxId, 0n]) ?? 0n;
  return last + 1n;
}

export interface IdRange {
  readonly first: bigint;
  /** How many new records there may be at most. */
  readonly expectedNew: bigint;
  readonly typeMax: bigint;
}

function explainIds(ids: IdSequence | undefined): string {
  if (ids?.sequence == null) return '';
  const { schema, name } = ids.sequence;
  const largestId = largest([ids.maxId, ids.previousMaxId]);
  return ` The sequence ${schema}.${name} is at ${String(ids.lastValue)}, the largest id is ${largestId === null ? 'none' : String(largestId)}.`;
}

/** What can be done. Where the sequence ran far ahead of the ids in use (a predecessor gave every record a new id), most of its range is free. */
function adviseOnIds(limit: bigint, ids: IdSequence | undefined): string {
  const inUse = largest([ids?.maxId ?? null, ids?.previousMaxId ?? null, 0n]) ?? 0n;
  const widen = 'change the id column, the columns that refer to it and its sequence to bigint';
  if (ids?.sequence == null || inUse * 2n > limit) return `Renumber the records, or ${widen}.`;
  const sequence = quoteLiteral(quoteQualified(ids.sequence));
  const reset = `select setval(${sequence}, ${inUse === 0n ? '1, false' : String(inUse)});`;
  return `No id above ${inUse} is in use: if none was ever given to the outside, reset the sequence (${reset}). Else renumber the records, or ${widen}.`;
}

/**
 * Throws SEQUENCE_EXHAUSTED where the ids do not suffice, before anything is copied. With `ids` the sequence's own maximum counts too, and
 * the message says where the ids went; where the sequence ran far ahead of the largest id, the remedy offers to reset it or to renumber.
 */
export function assertIdsFit({ first, expectedNew, typeMax }: IdRange, ids?: IdSequence): void {
  const maxValue = ids?.maxValue ?? typeMax;
  const limit = maxValue < typeMax ? maxValue : typeMax;
  const last = first + expectedNew - 1n;
  if (last <= limit) return;
  throw new FreshetError(
    'SEQUENCE_EXHAUSTED',
    `${expectedNew} new records would need ids ${first} to ${last}, but ${limit} is the largest possible.${explainIds(ids)}`,
    {
      first: String(first),
      last: String(last),
      limit: String(limit),
      advice: adviseOnIds(limit, ids),
    },
  );
}
