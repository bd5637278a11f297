import { FreshetError, messageOf } from '../errors.js';
import { indexSlice, selectionOf } from '../indexing/indexSlice.js';
import { openReadSession, readColumnTypes } from '../indexing/rowSource.js';
import { workerCheckLockMs } from '../limits.js';
import { explainDatabaseFault, nameDatabase } from '../postgres/faults.js';
import { isLockFailure } from '../postgres/lockRetry.js';
import type { SearchClient } from '../search/client.js';
import { Refusal } from './refusal.js';
import type { TaskWork } from './task.js';
import type { TaskRequest } from './taskRequest.js';

/** The parts of the one environment that a worker serves. */
export interface WorkerParts {
  readonly apiUrl: string;
  readonly client: SearchClient;
}

/**
 * Looks whether table, columns and target of `request` are there, before anything is started.
 * @throws Refusal: 404 what is missing, 400 what is wrong, 503 what does not answer.
 */
export async function prepareTask(parts: WorkerParts, request: TaskRequest): Promise<TaskWork> {
  await checkTable(parts, request);
  const requireAlias = await checkTarget(parts, request);
  const { media, table, slice, runId, targetIndex: target, rejectsMax } = request;
  return (progress, signal) =>
    indexSlice({
      ...parts,
      media,
      table,
      slice,
      runId,
      target,
      requireAlias,
      rejectsMax,
      onProgress: (counts, rowsExpected) => progress.onProgress(counts, rowsExpected),
      onReject: (reject) => progress.onReject(reject),
      signal,
    });
}

async function checkTable({ apiUrl }: WorkerParts, { media, table, runId }: TaskRequest): Promise<void> {
  const session = await openReadSession(apiUrl, 'freshet worker').catch((error: unknown) => {
    throw new Refusal(503, messageOf(error));
  });
  try {
    await session.query(`set lock_timeout = ${workerCheckLockMs}`);
    await readColumnTypes(session, selectionOf(media, table, runId));
  } catch (error) {
    throw refusalOf(error);
  } finally {
    await session.end().catch(() => undefined);
  }
}

/** A connection that breaks and a table that is locked (a constraint is being added to it) say nothing against the task: it may be asked for again. */
function refusalOf(error: unknown): Refusal {
  nameDatabase(error, 'API database');
  const explained = explainDatabaseFault(error);
  const code = explained instanceof FreshetError ? explained.code : null;
  if (code === 'SESSION_LOST' || isLockFailure(error)) return new Refusal(503, messageOf(explained));
  return new Refusal(code === 'TABLE_MISSING' ? 404 : 400, messageOf(error), 'table_name');
}

/** @returns whether the target is an alias, which is then required to stay one. */
async function checkTarget({ client }: WorkerParts, request: TaskRequest): Promise<boolean> {
  const { targetIndex: target, requireAlias } = request;
  const [exists, isAlias] = await Promise.all([
    client.indices.exists({ index: target }),
    client.indices.existsAlias({ name: target }),
  ]).catch((error: unknown) => {
    throw new Refusal(503, `The search cluster does not answer: ${messageOf(error)}`);
  });
  if (!exists.body) throw new Refusal(404, `there is no index or alias ${target}`, 'target_index');
  if (requireAlias && !isAlias.body) {
    throw new Refusal(400, `${target} is an index, but require_alias asks for an alias`, 'target_index');
  }
  return isAlias.body;
}
