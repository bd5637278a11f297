import { failpoint } from '../../failpoints.js';
import { greenTimeoutMs } from '../../limits.js';
import { vacuumTempTable } from '../../postgres/finishTempTable.js';
import { makeServing } from '../../search/index.js';
import { indexNamesOf } from '../indexNames.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';
import { planTables } from '../tables.js';

/** Serving settings and green health of the new indexes; frozen, analysed temp tables. */
export const prepareServing: Step<{ replicas: number }> = async (context) => {
  if (!context.run.parameters.skipCopyData && context.run.flow === 'refresh') await vacuumTables(context);
  failpoint('serving.vacuumed');
  const names = indexNamesOf(context);
  const { search } = context.definition.environment;
  const serving = {
    replicas: search.replicas,
    refreshInterval: search.refreshInterval,
    timeoutMs: greenTimeoutMs,
    signal: context.cancelled,
  };
  if (context.run.flow !== 'filtered-index') await makeServing(context.search, names.main, serving);
  failpoint('serving.main');
  const { replicas } = await makeServing(context.search, names.filtered, serving);
  return { replicas };
};

async function vacuumTables(context: RunContext): Promise<void> {
  const temps = await context.withApi(async (session) => {
    const plans = await planTables(session, context);
    const { rows } = await session.query<{ oid: number }>(
      `select c.oid::int8::int as oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join unnest($1::text[], $2::text[]) as t (schema, name) on t.schema = n.nspname and t.name = c.relname`,
      [plans.map((plan) => plan.temp.schema), plans.map((plan) => plan.temp.name)],
    );
    return rows;
  });
  for (const { oid } of temps) await vacuumTempTable(context.environment.apiUrl, oid);
}
