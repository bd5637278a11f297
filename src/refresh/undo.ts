import { failpoint, type FailpointName } from '../failpoints.js';
import type { RunContext } from './context.js';
import { sweep, type SweepPoint } from './sweep.js';
import { isUselessAfter } from './sweep/rules.js';
import { mayBePromoted } from './withdrawPromotion.js';

const points = {
  tables: 'undo.tables',
  index: 'undo.index',
  indexes: 'undo.indexes',
  applied: 'undo.forgotten',
} as const satisfies Record<SweepPoint, FailpointName>;

/**
 * After a cancellation and after a refusal of the records the run's temp tables and indexes go, so that nothing is left. After any other
 * failure they stay for a retry, unless none is wanted (`keepFailedHours`); the next run of the same tables removes them, and the sweeper. What
 * one server refuses does not keep the other from being cleaned.
 */
export async function undo(context: RunContext, code: string): Promise<void> {
  const { run, definition } = context;
  const isKept = !isUselessAfter(code) && definition.environment.keepFailedHours > 0;
  if ((await mayBePromoted(context)) || isKept) return;
  const { failures } = await sweep(context, {
    environment: run.environment,
    media: run.media,
    ending: run.id,
    keepPrevious: true,
    keepFailedMs: 0,
    dryRun: false,
    passed: (point) => failpoint(points[point]),
  });
  if (failures[0] !== undefined) throw failures[0].error;
}
