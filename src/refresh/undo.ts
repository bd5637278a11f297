import type { ErrorCode } from '../errors.js';
import { dropCandidates } from '../postgres/generations.js';
import { deleteIndex, listMarkedIndexes } from '../search/index.js';
import type { RunContext } from './context.js';

/** Refusals of the catalog's records: what was made of them is of no use to anybody, only a new copy is. */
const uselessAfter: readonly string[] = [
  'DUPLICATE_KEYS',
  'REQUIRED_COLUMN_EMPTY',
  'CONSTRAINT_VIOLATED',
] satisfies ErrorCode[];

/**
 * After a refusal of the records the run's temp tables and indexes go, so that nothing is left. After any other failure they stay: the
 * run may be gone on with, and the next one removes them.
 */
export async function undoRefused(context: RunContext, code: string): Promise<void> {
  if (!uselessAfter.includes(code)) return;
  const { environment, run, definition, search } = context;
  await dropCandidates(environment.apiUrl, { media: run.media, runId: run.id });
  const marked = await listMarkedIndexes(search, `${definition.media.index.alias}-`);
  for (const [name, { mark }] of marked) {
    if (mark?.runId === run.id) await deleteIndex(search, name);
  }
}
