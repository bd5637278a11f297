import { duplicateKeysShownMax } from '../limits.js';
import { quoteIdentifier, quoteLiteral, quoteQualified } from './identifiers.js';
import type { Session } from './session.js';
import type { PlannedCheck, PlannedIndex, TempTablePlan } from './tempTablePlan.js';

/** The columns by which an error names a row: the wanted ones that the table has. */
function identifyingColumnsOf(
  plan: TempTablePlan,
  wanted: readonly string[] = ['identifier', 'id'],
): string[] {
  const present = new Set(plan.shape.columns.map(({ name }) => name));
  return wanted.filter((name) => present.has(name));
}

/** An expression that names a row: `identifier …`. */
function rowName(identifyingColumns: readonly string[]): string {
  if (identifyingColumns.length === 0) return `''`;
  const parts = identifyingColumns.map(
    (name) => `${quoteLiteral(`${name} `)} || ${quoteIdentifier(name)}::text`,
  );
  return `concat_ws(' ', ${parts.join(', ')})`;
}

/** Up to ten rows of the temp table that break a CHECK: `identifier …`. */
export async function findViolations(
  session: Session,
  plan: TempTablePlan,
  check: PlannedCheck,
): Promise<string[]> {
  // `CHECK (…)`, perhaps with `NO INHERIT` or the like behind it.
  const expression = check.definition.slice(
    check.definition.indexOf('('),
    check.definition.lastIndexOf(')') + 1,
  );
  const { rows } = await session.query<{ described: string }>(
    `select ${rowName(identifyingColumnsOf(plan))} as described from ${quoteQualified(plan.temp)}
     where not (${expression}) limit ${duplicateKeysShownMax}`,
  );
  return rows.map(({ described }) => described);
}

/**
 * The query that finds which keys occur more than once, with some rows of each. Keys and predicate are what the catalog says of the live
 * index, so expression and partial indexes are covered. Pure.
 */
function duplicatesQuery(
  plan: TempTablePlan,
  index: PlannedIndex,
  identifyingColumns: readonly string[],
): string {
  const keys = index.keys.map((key, position) => `(${key}) as k${position}`);
  const names = index.keys.map((_, position) => `k${position}`);
  const row = rowName(identifyingColumns);
  const conditions = [
    ...(index.predicate === null ? [] : [index.predicate]),
    ...(index.nullsNotDistinct ? [] : index.keys.map((key) => `(${key}) is not null`)),
  ];
  const where =
    conditions.length === 0 ? '' : ` where ${conditions.map((each) => `(${each})`).join(' and ')}`;
  return `select jsonb_build_array(${names.map((name) => `left(${name}::text, 200)`).join(', ')})::text as key,
      count(*)::text as rows, (array_agg(described order by described))[1:5] as described
    from (select ${keys.join(', ')}, ${row} as described from ${quoteQualified(plan.temp)}${where}) keyed
    group by ${names.join(', ')} having count(*) > 1 order by count(*) desc, 1 limit ${duplicateKeysShownMax}`;
}

/** Up to ten keys that occur more than once: `["https://a"] in 2 rows (identifier …, identifier …)`. */
export async function findDuplicates(
  session: Session,
  plan: TempTablePlan,
  index: PlannedIndex,
  identifyingColumns?: readonly string[],
): Promise<string[]> {
  const query = duplicatesQuery(plan, index, identifyingColumnsOf(plan, identifyingColumns));
  const { rows } = await session.query<{ key: string; rows: string; described: string[] }>(query);
  return rows.map(({ key, rows: count, described }) => `${key} in ${count} rows (${described.join(', ')})`);
}
