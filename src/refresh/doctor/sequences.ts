import { parseQualifiedName, quoteIdentifier, quoteQualified } from '../../postgres/identifiers.js';
import type { Session } from '../../postgres/session.js';
import { sequenceProblemShare, sequenceWarningShare } from '../../limits.js';
import { problem, warning, type Finding } from './finding.js';

/** How far the ids of a table got. */
export interface IdFacts {
  /** `schema.name`; null where the id column has no sequence. */
  readonly sequence: string | null;
  /** Null where the sequence may not be read or was never used. */
  readonly lastValue: bigint | null;
  /** The smaller one of the sequence's and the column type's largest value. */
  readonly largest: bigint;
  readonly maxId: bigint | null;
}

interface IdRow {
  sequence: string | null;
  lastValue: string | null;
  largest: string;
}

// The sequence that the default calls, or the one behind an identity column.
const sequenceQuery = `
  with typed as (
    select a.attrelid, a.attnum, case a.atttypid when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647
      else 9223372036854775807 end as type_max
    from pg_attribute a where a.attrelid = $1 and a.attname = $2),
  used as (
    select d.refobjid as oid from typed t join pg_attrdef f on f.adrelid = t.attrelid and f.adnum = t.attnum
      join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
      join pg_class c on c.oid = d.refobjid and c.relkind = 'S'
    union
    select d.objid from typed t join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.attrelid
      and d.refobjsubid = t.attnum and d.classid = 'pg_class'::regclass and d.deptype = 'i')
  select q.seqrelid::regclass::text as sequence, least(coalesce(q.seqmax, t.type_max), t.type_max)::text as largest,
    case when has_sequence_privilege(q.seqrelid, 'SELECT') then pg_sequence_last_value(q.seqrelid)::text end as "lastValue"
  from typed t left join used u on true left join pg_sequence q on q.seqrelid = u.oid limit 1`;

/** Reads the ids of a live table. Null where it has no such column. */
export async function readIdFacts(
  session: Session,
  table: { readonly oid: number; readonly name: string },
  idColumn: string,
): Promise<IdFacts | null> {
  const { rows } = await session.query<IdRow>(sequenceQuery, [table.oid, idColumn]);
  const [row] = rows;
  if (row === undefined) return null;
  const max = await session.query<{ max: string | null }>(
    `select max(${quoteIdentifier(idColumn)})::text as max from ${quoteQualified(parseQualifiedName(table.name))}`,
  );
  const toBigInt = (text: string | null | undefined) => (text == null ? null : BigInt(text));
  return {
    sequence: row.sequence,
    lastValue: toBigInt(row.lastValue),
    largest: BigInt(row.largest),
    maxId: toBigInt(max.rows[0]?.max),
  };
}

/** A sequence that is used up, or that gives ids which are taken. */
export function judgeIds(table: string, ids: IdFacts): Finding[] {
  const check = `ids of ${table}`;
  if (ids.sequence === null) {
    return [
      warning(
        check,
        `The id column of ${table} has no sequence: its writers must know the next id themselves.`,
        'Give it a default from a sequence that it owns.',
      ),
    ];
  }
  const { lastValue, largest, maxId } = ids;
  const highest = [lastValue ?? 0n, maxId ?? 0n].reduce((a, b) => (a > b ? a : b));
  const share = Number(highest) / Number(largest);
  if (share >= sequenceWarningShare) return [nearMaximum(check, ids, share)];
  if (lastValue !== null && maxId !== null && lastValue < maxId) {
    return [
      warning(
        check,
        `${ids.sequence} stands at ${lastValue}, but ${table} has ids up to ${maxId}: inserts will fail.`,
        `Set it: select setval('${ids.sequence}', ${maxId});`,
      ),
    ];
  }
  return [];
}

function nearMaximum(
  check: string,
  { sequence, lastValue, largest, maxId }: IdFacts,
  share: number,
): Finding {
  const message = `${sequence} has used ${(share * 100).toFixed(1)} % of its ids: last value ${lastValue}, largest id ${maxId}, maximum ${largest}.`;
  const isFarAbove = Number(maxId ?? 0n) / Number(largest) < sequenceWarningShare;
  const remedy = isFarAbove
    ? `The ids in use end at ${maxId ?? 0n}: if none above was ever live, reset it: select setval('${sequence}', ${maxId ?? 1n});`
    : 'Change the column and the sequence to bigint, or renumber the table.';
  return share >= sequenceProblemShare ? problem(check, message, remedy) : warning(check, message, remedy);
}
