import { failpoint } from '../../failpoints.js';
import { addConstraints, buildOtherIndexes } from '../../postgres/indexBuild.js';
import type { Step } from '../phase.js';
import { planTables } from '../tables.js';

/** The other indexes and the constraints of the live tables, on the temp tables. */
export const buildIndexes: Step<{ indexes: number }> = async (context, report) => {
  const plans = await context.withApi((session) => planTables(session, context));
  let indexes = 0;
  for (const plan of plans) {
    await buildOtherIndexes(context.environment.apiUrl, plan, {
      onIndexBuilt: (_name, done, total) => report({ done, total, unit: 'indexes' }),
    });
    failpoint('constraints.indexes');
    await addConstraints(context.environment.apiUrl, plan);
    indexes += plan.items.filter((item) => item.kind === 'index').length;
  }
  return { indexes };
};
