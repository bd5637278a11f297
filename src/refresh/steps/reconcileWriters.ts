import { reconcile, type Reconciled } from '../reconcile.js';
import { indexNamesOf } from '../indexNames.js';
import type { Step } from '../phase.js';
import { indexedTableOf } from '../tables.js';

/** What API writers deleted or marked since the copy is applied to the temp table and both indexes, before they are verified. */
export const reconcileWriters: Step<Reconciled> = (context) =>
  reconcile(context, indexedTableOf(context), indexNamesOf(context));
