import { quoteIdentifier, quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.js';
import type { PolicyShape, PublicationShape, TableShape, TriggerShape } from './tableShape.js';

/**
 * Triggers, policies and publications: what watches a table, and would act during the copy and the build. They are made in the swap, under the
 * live name, by which the texts of policies call the table. Pure.
 */

const enabledWords = {
  O: null,
  D: 'disable',
  R: 'enable replica',
  A: 'enable always',
} as const satisfies Record<TriggerShape['enabled'], string | null>;

/** A trigger whose definition is not understood is refused before the copy. */
function triggerStatements(table: string, trigger: TriggerShape): string[] {
  const name = quoteIdentifier(trigger.name);
  const word = enabledWords[trigger.enabled];
  return [
    `${trigger.head} on ${table} ${trigger.tail ?? ''}`,
    ...(word === null ? [] : [`alter table ${table} ${word} trigger ${name}`]),
    ...(trigger.comment === null
      ? []
      : [`comment on trigger ${name} on ${table} is ${quoteLiteral(trigger.comment)}`]),
    ...(trigger.constraintComment === null
      ? []
      : [`comment on constraint ${name} on ${table} is ${quoteLiteral(trigger.constraintComment)}`]),
  ];
}

function policyStatements(table: string, policy: PolicyShape): string[] {
  const name = quoteIdentifier(policy.name);
  const roles = policy.roles.map((role) => (role === null ? 'public' : quoteIdentifier(role))).join(', ');
  return [
    [
      `create policy ${name} on ${table} as ${policy.permissive ? 'permissive' : 'restrictive'}`,
      `for ${policy.command} to ${roles}`,
      ...(policy.using === null ? [] : [`using (${policy.using})`]),
      ...(policy.check === null ? [] : [`with check (${policy.check})`]),
    ].join(' '),
    ...(policy.comment === null
      ? []
      : [`comment on policy ${name} on ${table} is ${quoteLiteral(policy.comment)}`]),
  ];
}

/** Gives `table` the triggers, in the order of their names, and the policies of `shape`. */
export function watcherStatements(table: QualifiedName, shape: TableShape): string[] {
  const on = quoteQualified(table);
  return [
    ...shape.policies.flatMap((policy) => policyStatements(on, policy)),
    ...shape.triggers.flatMap((trigger) => triggerStatements(on, trigger)),
  ];
}

/** The table takes the place of `previous` in the publication, with the same columns and rows. */
export function publicationStatements(
  table: QualifiedName,
  previous: QualifiedName,
  { name, columns, filter }: PublicationShape,
): string[] {
  const alter = `alter publication ${quoteIdentifier(name)}`;
  const list = columns === null ? '' : ` (${columns.map(quoteIdentifier).join(', ')})`;
  const where = filter === null ? '' : ` where (${filter})`;
  return [
    `${alter} drop table only ${quoteQualified(previous)}`,
    `${alter} add table only ${quoteQualified(table)}${list}${where}`,
  ];
}
