import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { copyProgressEveryMs } from '../limits.js';
import { ensureMarks } from '../postgres/marks.js';
import type { Session } from '../postgres/session.js';
import { loadLists, recordLists, type AppliedList } from './appliedLists.js';
import type { RowCounts } from './counts.js';
import { copyTable, type CopySessions, type PreparedTable } from './copyTable.js';
import { explained, explainFailure } from './failures.js';
import { endOlderAttempts, lockTables, openCopySession } from './fence.js';
import { keySettings } from './keyJoin.js';
import {
  findIds,
  listAppliedTables,
  prepareTable,
  planTables,
  readKeys,
  type JoinedTable,
  type KeyedTable,
} from './prepareTables.js';
import { assertDifferentDatabases } from './sameDatabase.js';
import { catalogSettings } from './scanQueries.js';
import { destroySession } from './streams.js';
import type { CopyOptions, CopyProgress, CopyResult, TableCopyResult } from './types.js';

export type { CopyOptions, CopyProgress, CopyResult, TableCopyResult } from './types.js';

/**
 * Copies all tables of a media type from one snapshot of the catalog into new temp tables of the API database: filtered and transformed in
 * the same pass, known records with the ids that they have. All or nothing: the temp tables appear when everything is copied, and a copy
 * that ends otherwise leaves nothing. Memory is flat.
 *
 * Before any effect it throws SAME_DATABASE, TABLE_MISSING, COLUMN_MISSING, EMPTY_CATALOG, NULL_KEYS, DUPLICATE_KEYS; later, with everything
 * undone, SEQUENCE_EXHAUSTED, COPY_VALUE_REFUSED, TRANSFORM_FAILED, SCAN_ORDER_CHANGED, NO_SPACE, SESSION_LOST, COPY_LOCKED and, after
 * `signal`, COPY_INTERRUPTED.
 */
export async function copyMedia(options: CopyOptions): Promise<CopyResult> {
  const startedAt = performance.now();
  assertNotInterrupted(options);
  await endAllOlderAttempts(options);
  const sessions = await openSessions(options);
  const all = Object.values(sessions) as Session[];
  const interrupt = (): void => all.forEach(destroySession);
  options.signal.addEventListener('abort', interrupt);
  try {
    const copied = await copyInSnapshot(sessions, { ...options, onProgress: throttle(options.onProgress) });
    await Promise.all(all.map((session) => session.end()));
    return { ...copied, seconds: (performance.now() - startedAt) / 1000 };
  } catch (error) {
    all.forEach(destroySession);
    // A backend in the middle of a sort would notice only when it writes. Where this fails, the next attempt does it.
    await Promise.allSettled([endAllOlderAttempts(options)]);
    assertNotInterrupted(options);
    throw explainFailure(error, { database: 'API database' });
  } finally {
    options.signal.removeEventListener('abort', interrupt);
  }
}

async function endAllOlderAttempts({ catalogUrl, apiUrl, runId }: CopyOptions): Promise<void> {
  await explained('catalog', endOlderAttempts(catalogUrl, 'catalog', runId));
  await explained('API database', endOlderAttempts(apiUrl, 'API database', runId));
}

async function openSessions({ catalogUrl, apiUrl, runId }: CopyOptions): Promise<CopySessions> {
  const opened: Session[] = [];
  const open = async (...args: Parameters<typeof openCopySession>): Promise<Session> => {
    const session = await openCopySession(...args);
    opened.push(session);
    return session;
  };
  try {
    const catalog = await open(catalogUrl, 'catalog', runId);
    const keys = await open(apiUrl, 'API database', runId);
    return { catalog, keys, target: await open(apiUrl, 'API database', runId) };
  } catch (error) {
    opened.forEach(destroySession);
    throw error;
  }
}

async function copyInSnapshot(
  sessions: CopySessions,
  options: CopyOptions,
): Promise<Omit<CopyResult, 'seconds'>> {
  await assertDifferentDatabases(sessions.catalog, sessions.target);
  const snapshotAt = await explained('catalog', beginSnapshot(sessions.catalog));
  const planned = await planTables(sessions, options);
  await lockTables(
    sessions.target,
    planned.map((table) => table.mapping.downstream),
  );
  for (const setting of keySettings) await sessions.keys.query(setting);
  const keyed: KeyedTable[] = [];
  for (const [position, table] of planned.entries()) {
    keyed.push(await readKeys(sessions, table, position, options));
  }
  await ensureMarks(sessions.target);
  const lists = await loadLists(sessions.keys, listAppliedTables(options));
  const joined: JoinedTable[] = [];
  for (const table of keyed) joined.push(await findIds(sessions, table, lists));
  return { snapshotAt, tables: await fillTempTables(sessions, joined, lists, snapshotAt, options) };
}

/** One snapshot for all tables: the next one would belong to another state of the catalog. */
async function beginSnapshot(catalog: Session): Promise<Date> {
  await catalog.query('begin isolation level repeatable read read only');
  for (const setting of catalogSettings) await catalog.query(setting);
  const { rows } = await catalog.query<{ at: Date }>('select now() as at');
  const [row] = rows;
  if (row === undefined) throw new FreshetError('INTERNAL', 'The catalog did not tell the time.');
  return row.at;
}

/**
 * The transaction that makes and fills the temp tables: all of them appear complete, or none. It lasts as long as the copy and therefore
 * touches no table that the API reads or writes.
 */
async function fillTempTables(
  sessions: CopySessions,
  joined: readonly JoinedTable[],
  lists: readonly AppliedList[],
  snapshotAt: Date,
  options: CopyOptions,
): Promise<TableCopyResult[]> {
  const { catalog, target } = sessions;
  await target.query('begin');
  await recordLists(sessions, options.runId, lists);
  const prepared: PreparedTable[] = [];
  for (const table of joined) prepared.push(await prepareTable(target, table, snapshotAt, options));
  const copied: TableCopyResult[] = [];
  for (const table of prepared) {
    const onCounts = (counts: RowCounts): void => options.onProgress(progressOf(table, counts.read));
    copied.push(await copyTable(sessions, table, onCounts));
    failpoint('copy.filled');
  }
  await explained('catalog', catalog.query('commit')); // the snapshot holds back the catalog's vacuum
  failpoint('copy.beforeCommit');
  await target.query('commit');
  failpoint('copy.afterCommit');
  return copied;
}

function progressOf({ mapping, keyTable: keys }: PreparedTable, rowsCopied: number): CopyProgress {
  return { table: mapping.downstream, rowsKeyed: keys.rows, rowsCopied, rowsExpected: keys.rows };
}

/** Lets a report through now and then, and always the last one of a table. */
function throttle(report: (progress: CopyProgress) => void): (progress: CopyProgress) => void {
  let reportedAt = -Infinity;
  return (progress) => {
    const now = performance.now();
    const isLast = progress.rowsCopied === progress.rowsExpected;
    if (!isLast && now - reportedAt < copyProgressEveryMs) return;
    reportedAt = now;
    report(progress);
  };
}

function assertNotInterrupted({ signal, media }: CopyOptions): void {
  if (!signal.aborted) return;
  throw new FreshetError(
    'COPY_INTERRUPTED',
    `The copy of ${media.name} was interrupted.`,
    {},
    { cause: signal.reason },
  );
}
