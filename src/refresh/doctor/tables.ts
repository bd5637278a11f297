import prettyBytes from 'pretty-bytes';
import type { MediaConfig, TableMapping } from '../../config/types.js';
import { parseQualifiedName } from '../../postgres/identifiers.js';
import { ok, problem, type Finding } from './finding.js';
import type { RelationFacts } from './relations.js';

type Place = 'catalog' | 'API database';

function label(relation: string): string {
  const { schema, name } = parseQualifiedName(relation);
  return `${schema}.${name}`;
}

function missingTable(relation: string, place: Place, key: string): Finding {
  return problem(
    `table ${label(relation)}`,
    `There is no table ${label(relation)} in the ${place}.`,
    `Create it, or correct \`${key}\` in the configuration.`,
  );
}

function unreadable(relation: string, place: Place): Finding {
  return problem(
    `table ${label(relation)}`,
    `${label(relation)} in the ${place} cannot be read by this user.`,
    'Grant the user USAGE on its schema and SELECT on it.',
  );
}

function missingColumns(
  relation: string,
  place: Place,
  wanted: readonly string[],
  facts: RelationFacts,
): Finding[] {
  const known = new Set(facts.columns.map(({ name }) => name));
  return [...new Set(wanted)]
    .filter((column) => !known.has(column))
    .map((column) =>
      problem(
        `table ${label(relation)}`,
        `${label(relation)} in the ${place} has no column ${column}.`,
        'Add the column, or correct the mapping in the configuration.',
      ),
    );
}

function upstreamNameOf({ renames }: TableMapping, column: string): string {
  return Object.entries(renames).find(([, to]) => to === column)?.[0] ?? column;
}

/** Columns that a mapping needs in the catalog. */
function upstreamColumns(mapping: TableMapping, media: MediaConfig): string[] {
  const own = [
    ...mapping.key,
    ...mapping.requiredColumns,
    ...mapping.addUrlSchemesTo,
    ...(mapping === media.main && media.tagRules !== null ? [media.tagRules.column] : []),
    ...(mapping.deletedMediaTable === null ? [] : ['identifier']),
  ];
  return [...own.map((column) => upstreamNameOf(mapping, column)), ...Object.keys(mapping.renames)];
}

/** Columns that a mapping needs in the live table. */
function downstreamColumns(mapping: TableMapping, media: MediaConfig): string[] {
  const own = [
    mapping.idColumn,
    ...mapping.key,
    ...mapping.requiredColumns,
    ...mapping.addUrlSchemesTo,
    ...Object.values(mapping.renames),
    ...Object.keys(mapping.keptColumns),
  ];
  const ofMain = [
    media.sourceColumn,
    ...media.document.columns,
    ...(media.removedColumn === null ? [] : [media.removedColumn]),
    ...(media.tagRules === null ? [] : [media.tagRules.column]),
    ...(media.sensitiveMediaTable === null ? [] : ['identifier']),
  ];
  const wanted = mapping === media.main ? [...own, ...ofMain] : own;
  return wanted.filter((column) => !(column in mapping.addedColumns));
}

/** Faults of the catalog's side of a mapping. */
export function judgeUpstream(
  mapping: TableMapping,
  media: MediaConfig,
  facts: RelationFacts | null,
): Finding[] {
  if (facts === null) return [missingTable(mapping.upstream, 'catalog', `media.${media.name}: upstream`)];
  return [
    ...(facts.readable ? [] : [unreadable(mapping.upstream, 'catalog')]),
    ...missingColumns(mapping.upstream, 'catalog', upstreamColumns(mapping, media), facts),
  ];
}

/** Faults of the live table. */
export function judgeDownstream(
  mapping: TableMapping,
  media: MediaConfig,
  facts: RelationFacts | null,
): Finding[] {
  const { downstream } = mapping;
  if (facts === null) return [missingTable(downstream, 'API database', `media.${media.name}: downstream`)];
  return [
    ...(facts.readable ? [] : [unreadable(downstream, 'API database')]),
    ...judgeOwnership(facts),
    ...missingColumns(downstream, 'API database', downstreamColumns(mapping, media), facts),
    ...judgeColumnTypes(mapping, media, facts),
  ];
}

function judgeOwnership(facts: RelationFacts): Finding[] {
  const findings: Finding[] = [];
  const check = `table ${facts.name}`;
  if (!facts.owned) {
    findings.push(
      problem(
        check,
        `${facts.name} belongs to ${facts.owner}, and the user is no member of that role.`,
        `Only its owner can replace a table: grant "${facts.owner}" to the user.`,
      ),
    );
  }
  if (!facts.mayCreateBeside) {
    const { schema } = parseQualifiedName(facts.name);
    findings.push(
      problem(
        check,
        `The user may not create tables in the schema ${schema}.`,
        `Grant CREATE on schema "${schema}" to the user.`,
      ),
    );
  }
  return findings;
}

function judgeColumnTypes(mapping: TableMapping, media: MediaConfig, facts: RelationFacts): Finding[] {
  const expected: [string | null, string[]][] = [
    [mapping.idColumn, ['smallint', 'integer', 'bigint']],
    [mapping === media.main ? media.removedColumn : null, ['boolean']],
    [mapping === media.main ? (media.tagRules?.column ?? null) : null, ['jsonb', 'json']],
  ];
  return expected.flatMap(([column, types]) => {
    const found = facts.columns.find(({ name }) => name === column);
    if (found === undefined || types.includes(found.type)) return [];
    return [
      problem(
        `table ${facts.name}`,
        `${facts.name}.${found.name} is ${found.type}; expected ${types.join(' or ')}.`,
        'Correct the mapping in the configuration.',
      ),
    ];
  });
}

/** Columns of the live table that would get no value though they must have one. */
export function judgeFilling(
  mapping: TableMapping,
  upstream: RelationFacts,
  downstream: RelationFacts,
): Finding[] {
  const sources = new Set(upstream.columns.map(({ name }) => name));
  const filled = [mapping.idColumn, ...Object.keys(mapping.keptColumns), 'created_on', 'updated_on'];
  return downstream.columns
    .filter(({ name, notNull, hasDefault }) => notNull && !hasDefault && !filled.includes(name))
    .filter(({ name }) => !sources.has(upstreamNameOf(mapping, name)))
    .map(({ name }) =>
      problem(
        `table ${downstream.name}`,
        `${downstream.name}.${name} must not be null, has no default, and ${upstream.name} in the catalog has no column for it.`,
        'Give the column a default, or name its source under `renames`.',
      ),
    );
}

/** A table beside the media's own, of which only `identifier` is read. */
export function judgeIdentifierTable(relation: string, facts: RelationFacts | null): Finding[] {
  if (facts === null) {
    return [missingTable(relation, 'API database', 'deletedMediaTable or sensitiveMediaTable')];
  }
  return [
    ...(facts.readable ? [] : [unreadable(relation, 'API database')]),
    ...missingColumns(relation, 'API database', ['identifier'], facts),
  ];
}

/** What will be copied, where there is nothing to complain about. */
export function describeMapping(
  mapping: TableMapping,
  upstream: RelationFacts,
  downstream: RelationFacts,
): Finding {
  const targets = new Set([
    ...downstream.columns.map(({ name }) => name),
    ...Object.keys(mapping.addedColumns),
  ]);
  const dropped = upstream.columns
    .map(({ name }) => name)
    .filter((name) => !targets.has(mapping.renames[name] ?? name));
  const left = dropped.length === 0 ? '' : ` Not copied: ${dropped.join(', ')}.`;
  const size = prettyBytes(downstream.bytes);
  return ok(
    `table ${downstream.name}`,
    `${upstream.name} → ${downstream.name}; a refresh needs about ${size} and its indexes beside it.${left}`,
  );
}
