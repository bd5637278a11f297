import { quoteQualified, type QualifiedName } from './identifiers.js';
import type { PreparedSwap } from './swapPlan.js';
import { lockViewStatement } from './swapStatements.js';

/** The locks of the swap, as text, in the order in which they are taken. Pure. */

function lockTables(names: readonly QualifiedName[], mode: string): string {
  return `lock table only ${names.map(quoteQualified).join(', only ')} in ${mode} mode`;
}

/** Keeps changes of shape, autovacuum and other swaps out, not readers and writers. */
export function shapeLockStatement(names: readonly QualifiedName[]): string {
  return lockTables(names, 'share update exclusive');
}

/** Keeps writers of the lists out; their readers and everybody on the live tables go on. Null = there are no lists. */
export function listLockStatement({ referencing }: PreparedSwap): string | null {
  return referencing.length === 0 ? null : lockTables(referencing, 'share row exclusive');
}

/** Keys of other tables first, live tables next, temp tables last: the order in which writers of the lists take them. */
export function exclusiveLockStatements({ tables, views, referencing }: PreparedSwap): string[] {
  const names = [
    ...referencing,
    ...tables.map(({ plan }) => plan.live),
    ...tables.map(({ plan }) => plan.temp),
  ];
  return [
    // Readers come through a view to the table: locked in the same order, or each would wait for the other.
    ...views.map(lockViewStatement),
    lockTables(names, 'access exclusive'),
  ];
}
