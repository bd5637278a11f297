import { quoteIdentifier, quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.js';
import { generatedObjectName } from './names.js';
import type { StatisticsShape } from './tableShape.js';
import type { TempTablePlan } from './tempTablePlan.js';

/** What the plan's n-th statistics object is called until the swap. It is in the schema of the live one. */
export function temporaryStatisticsName(
  { runId, liveOid }: TempTablePlan,
  { name }: StatisticsShape,
  position: number,
): QualifiedName {
  return { schema: name.schema, name: generatedObjectName(runId, liveOid, 'statistics', position) };
}

/**
 * The statements that give the temp table the statistics objects of the live one, under names of their own until the swap: `analyze` fills
 * them before it. May run again. Pure.
 */
export function statisticsStatements(plan: TempTablePlan): string[] {
  return plan.shape.statistics.flatMap((statistics, index) => {
    const { kinds, columns, target, comment, owner } = statistics;
    const name = quoteQualified(temporaryStatisticsName(plan, statistics, index + 1));
    const list = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`;
    return [
      `create statistics if not exists ${name}${list} on ${columns} from ${quoteQualified(plan.temp)}`,
      ...(target === null ? [] : [`alter statistics ${name} set statistics ${target}`]),
      ...(comment === null ? [] : [`comment on statistics ${name} is ${quoteLiteral(comment)}`]),
      `alter statistics ${name} owner to ${quoteIdentifier(owner)}`,
    ];
  });
}
