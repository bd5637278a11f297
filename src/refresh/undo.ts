import type { ErrorCode } from '../errors.js';
import { dropCandidates } from '../postgres/generations.js';
import { forgetRun } from '../postgres/marks.js';
import { openSearchClient } from '../search/client.js';
import { endReindexTasks } from '../search/reindexTask.js';
import { deleteIndex, listMarkedIndexes, removeWriteAlias } from '../search/index.js';
import { writeAlias } from '../search/names.js';
import { recordGone } from '../state/generations.js';
import type { RunContext } from './context.js';

/** Refusals of the catalog's records: what was made of them is of no use to anybody, only a new copy is. */
const uselessAfter: readonly string[] = [
  'DUPLICATE_KEYS',
  'REQUIRED_COLUMN_EMPTY',
  'CONSTRAINT_VIOLATED',
  'RUN_CANCELLED',
] satisfies ErrorCode[];

/**
 * After a cancellation and after a refusal of the records the run's temp tables and indexes go, so that nothing is left. After any other
 * failure they stay: the run may be retried, and the sweeper or the next run removes them.
 */
export async function undo(context: RunContext, code: string): Promise<void> {
  if (!uselessAfter.includes(code)) return;
  const { environment, run, definition, leadership } = context;
  // The run's own client ends every request of a cancelled run.
  const search = openSearchClient(environment.searchUrls, { beforeWrite: () => leadership.assertHeld() });
  try {
    for (const [name, { mark }] of await listMarkedIndexes(search, `${definition.media.index.alias}-`)) {
      if (mark?.runId !== run.id) continue;
      // A task that runs on makes the index anew when its alias goes; one that begins later fails without it.
      await endReindexTasks(search, writeAlias(name));
      await removeWriteAlias(search, name);
      await endReindexTasks(search, writeAlias(name));
      await deleteIndex(search, name);
    }
  } finally {
    await search.close();
  }
  await dropCandidates(environment.apiUrl, { media: run.media, runId: run.id });
  await context.withApi((session) => forgetRun(session, run.id));
  await recordGone(context.state, [run.id]);
}
