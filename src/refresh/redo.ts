import type { ClientBase } from 'pg';
import { resetPhasesFrom } from '../state/phases.js';
import { forgetIndexed } from '../state/slices.js';
import { refreshPhases } from './phases.js';

/** In the caller's transaction: the run is to do the phase `from` again, and everything after it. */
export async function redoFrom(client: ClientBase, runId: string, from: string): Promise<void> {
  const order: readonly string[] = refreshPhases;
  const plansSlices = order.includes(from) && order.indexOf(from) <= order.indexOf('reindex');
  // New slices cover the rows that there are now: deletions that were reconciled have left the table since they were counted.
  await forgetIndexed(client, runId, from);
  await resetPhasesFrom(client, runId, from, plansSlices ? ['keys'] : []);
}
