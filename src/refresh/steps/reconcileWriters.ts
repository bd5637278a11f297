import { reconcile, type Reconciled } from '../reconcile.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { indexedTableOf } from '../tables.js';

/**
 * What API writers deleted or marked since the run took it into account is applied to the temp table and the run's own indexes, before they are
 * verified. What readers see is not touched: not the live table of a run that does not copy, not the live index of the filtered-index flow.
 */
export const reconcileWriters: Step<Reconciled> = (context) => {
  const { run } = context;
  const names = indexNamesOf(context);
  return reconcile(context, {
    table: indexedTableOf(context),
    rows: run.parameters.skipCopyData ? 'untouched' : 'own',
    indexes: run.flow === 'refresh' ? [names.filtered, names.main] : [names.filtered],
    phase: 'reconcile',
  });
};
