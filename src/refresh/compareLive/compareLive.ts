import type { RefreshDefinition } from '../../config/types.js';
import { planTables, type PlannedTable } from '../../copy/prepareTables.js';
import { catalogSettings } from '../../copy/scanQueries.js';
import { FreshetError } from '../../errors.js';
import {
  verifyAttemptsMax,
  verifyIdleTimeoutMs,
  verifyPageTimeoutMs,
  verifyScanTimeoutMs,
} from '../../limits.js';
import { pausepoint } from '../../pausepoint.js';
import { openReadSession } from '../../indexing/rowSource.js';
import { explainDatabaseFault, nameDatabase } from '../../postgres/faults.js';
import { openSession, type Session } from '../../postgres/session.js';
import { openSearchClient } from '../../search/client.js';
import type { Services } from '../context.js';
import type { Attempt, CompareOptions, CompareSessions } from './attempt.js';
import { sortCatalogRows, isDated, type CatalogTable } from './catalogRows.js';
import { compareLiveTables, type ComparedTable } from './compareLiveTables.js';
import { Findings, type FindingGroup } from './findings.js';
import { TableReplaced } from './livePages.js';
import { planComparison } from './rowColumns.js';
import { SortedRows } from './spill.js';
import { isSameTarget, readTarget, type LiveTarget } from './target.js';
import { compareRows } from './tableRows.js';

export type { CompareProgress } from './attempt.js';

/** What of a table was compared. */
export interface TableReport {
  readonly table: string;
  readonly upstream: string;
  /** The run that copied it. */
  readonly run: string | null;
  /** Changes of the catalog after this time are no faults; null = it is not known, and everything counts. */
  readonly snapshotAt: string | null;
  readonly recordLimit: number | null;
  /** Rows that the catalog gives, those that are listed as deleted included. */
  readonly catalogRows: number;
  readonly liveRows: number;
  readonly columnsCompared: readonly string[];
  readonly columnsNotCompared: readonly string[];
  /** Whether the catalog says when a row of it changed. */
  readonly dated: boolean;
}

export interface CompareReport {
  readonly definition: string;
  readonly equal: boolean;
  readonly tables: readonly TableReport[];
  readonly index: string;
  readonly filteredIndex: string | null;
  /** When the catalog was looked at. */
  readonly catalogAt: string;
  readonly groups: readonly FindingGroup[];
}

/**
 * Compares catalog and live tables, and live tables and live indexes, everything with everything, in both directions. Reads only, takes no lease
 * and holds no lock that a swap would wait for; memory is flat. A promotion in between makes it begin anew.
 * Throws NOTHING_LIVE, PROMOTED_MEANWHILE, COMPARISON_NO_SPACE, TERMS_UNUSABLE, and what the servers say.
 */
export async function compareLive(
  services: Pick<Services, 'state' | 'config' | 'resolve' | 'env'>,
  definition: RefreshDefinition,
  options: CompareOptions,
): Promise<CompareReport> {
  const { catalogUrl, apiUrl, searchUrls } = await services.resolve(definition.environment.name);
  const search = openSearchClient(searchUrls, { signal: options.signal });
  try {
    for (let attempt = 1; ; attempt += 1) {
      const report = await compareOnce({ services, definition, options, catalogUrl, apiUrl, search });
      if (report !== null) return report;
      if (attempt === verifyAttemptsMax) throw promotedMeanwhile(definition);
      options.onNote(
        `${definition.id} was promoted meanwhile: comparing what is live now, from the beginning`,
      );
      await options.onFinding(null);
    }
  } finally {
    await search.close();
  }
}

function promotedMeanwhile({ id, environment }: RefreshDefinition): FreshetError {
  return new FreshetError(
    'PROMOTED_MEANWHILE',
    `${id} was promoted while it was compared, ${verifyAttemptsMax} times: nothing stayed live for long enough.`,
    { definition: id, environment: environment.name },
  );
}

/** @returns null where a promotion came in between. */
async function compareOnce(attempt: Attempt): Promise<CompareReport | null> {
  const { services, definition, options, search } = attempt;
  const sessions = await openSessions(attempt);
  const abort = (): void => Object.values(sessions).forEach(breakOff);
  options.signal.addEventListener('abort', abort, { once: true });
  const readNow = (): Promise<LiveTarget> => readTarget(services, definition, sessions.single, search);
  try {
    options.signal.throwIfAborted();
    const target = await readNow();
    try {
      const report = await compareTarget(attempt, sessions, target);
      return isSameTarget(target, await readNow()) ? report : null;
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof TableReplaced) return null;
      // An index that a promotion removed, a table of another shape: what is seen is the promotion.
      const now = await readNow().catch(() => target);
      if (!isSameTarget(target, now)) return null;
      throw explainDatabaseFault(error);
    }
  } finally {
    options.signal.removeEventListener('abort', abort);
    await Promise.allSettled(Object.values(sessions).map((session) => session.end()));
  }
}

const applicationName = 'freshet verify';

async function openSessions({ catalogUrl, apiUrl }: Attempt): Promise<CompareSessions> {
  const opened: Session[] = [];
  const keep = async (opening: Promise<Session>): Promise<Session> => {
    const session = await opening;
    opened.push(session);
    return session;
  };
  try {
    const catalog = await keep(openSession(catalogUrl, { applicationName, called: 'catalog' }));
    const pages = await keep(openReadSession(apiUrl, applicationName));
    const single = await keep(openReadSession(apiUrl, applicationName));
    for (const session of [pages, single]) await session.query(apiSettings);
    return { catalog, pages, single };
  } catch (error) {
    await Promise.allSettled(opened.map((session) => session.end()));
    throw error;
  }
}

/** Texts as the copy's sessions write them; no statement of these takes long. */
const apiSettings = `set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set bytea_output = 'hex';
  set statement_timeout = ${verifyPageTimeoutMs}`;

function breakOff(session: Session): void {
  session.connection.stream.destroy();
}

async function beginSnapshot(catalog: Session): Promise<string> {
  await catalog.query('begin isolation level repeatable read read only');
  for (const setting of catalogSettings) await catalog.query(setting);
  await catalog.query(
    `set local statement_timeout = ${verifyScanTimeoutMs}; set local idle_in_transaction_session_timeout = ${verifyIdleTimeoutMs}`,
  );
  const { rows } = await catalog.query<{ at: Date }>('select now() as at');
  return (rows[0]?.at ?? new Date()).toISOString();
}

interface SortedTable extends ComparedTable {
  readonly catalogTable: CatalogTable;
  readonly catalogRows: SortedRows;
  readonly counts: { readonly rows: number; readonly changedSince: number };
}

async function compareTarget(
  attempt: Attempt,
  sessions: CompareSessions,
  target: LiveTarget,
): Promise<CompareReport> {
  const { definition, options } = attempt;
  const findings = new Findings(options.keptMax, (finding) => options.onFinding(finding));
  const sorted: SortedTable[] = [];
  try {
    const catalogAt = await sortCatalog(attempt, sessions, target, sorted);
    await pausepoint('verify.catalog');
    await compareLiveTables(attempt, sessions, target, sorted, findings);
    await pausepoint('verify.live');
    const hasChanged = sorted.some(({ counts }) => counts.changedSince > 0);
    for (const [done, { live, columns, catalogRows, liveRows, catalogTable }] of sorted.entries()) {
      options.onProgress({ part: 'differences', done, total: sorted.length, unit: 'tables' });
      const isUndated = !isDated(catalogTable) && hasChanged;
      await compareRows({
        api: sessions.single,
        table: live,
        columns,
        catalog: catalogRows,
        live: liveRows,
        isUndated,
        findings,
      });
    }
    options.onProgress({ part: 'differences', done: sorted.length, total: sorted.length, unit: 'tables' });
    const groups = findings.groups();
    return {
      definition: definition.id,
      equal: !findings.hasFaults,
      tables: sorted.map(toReport),
      index: target.main.name,
      filteredIndex: target.filtered?.name ?? null,
      catalogAt,
      groups,
    };
  } finally {
    for (const { catalogRows, liveRows } of sorted) [catalogRows, liveRows].forEach((side) => side.close());
  }
}

function toReport({ live, columns, counts, liveRows, catalogTable }: SortedTable): TableReport {
  return {
    table: live.mapping.downstream,
    upstream: live.mapping.upstream,
    run: live.runId,
    snapshotAt: live.snapshotAt?.toISOString() ?? null,
    recordLimit: live.recordLimit,
    catalogRows: counts.rows,
    liveRows: liveRows.rows,
    columnsCompared: columns.names,
    columnsNotCompared: columns.notCompared,
    dated: isDated(catalogTable),
  };
}

/** All tables of the media type from one snapshot of the catalog, which ends with it. @returns the snapshot's time. */
async function sortCatalog(
  { definition, options }: Attempt,
  { catalog, single }: CompareSessions,
  target: LiveTarget,
  sorted: SortedTable[],
): Promise<string> {
  try {
    const catalogAt = await beginSnapshot(catalog);
    const planned = await planTables(
      { catalog, target: single },
      { media: definition.media, recordLimit: null },
    );
    const expected = planned.reduce((sum, { scan }) => sum + scan.upstream.rowsEstimated, 0);
    let before = 0;
    for (const [place, live] of target.tables.entries()) {
      const catalogTable = toCatalogTable(planned[place] as PlannedTable, live);
      const catalogRows = new SortedRows(definition.id);
      const counts = { rows: 0, changedSince: 0 };
      const liveRows = new SortedRows(definition.id);
      const table = { live, columns: catalogTable.columns, catalogTable, catalogRows, liveRows, counts };
      sorted.push(table);
      const onRows = (rows: number): void =>
        options.onProgress({
          part: 'catalog',
          done: before + rows,
          total: Math.max(expected, before + rows),
          unit: 'rows',
        });
      Object.assign(
        counts,
        await sortCatalogRows({ catalog, api: single }, catalogTable, catalogRows, onRows),
      );
      before += counts.rows;
    }
    options.onProgress({ part: 'catalog', done: before, total: before, unit: 'rows' });
    await catalog.query('commit'); // the snapshot holds back the catalog's vacuum
    return catalogAt;
  } catch (error) {
    nameDatabase(error, 'catalog');
    throw error;
  }
}

function toCatalogTable(
  planned: PlannedTable,
  { recordLimit, snapshotAt }: LiveTarget['tables'][number],
): CatalogTable {
  const scan = { ...planned.scan, recordLimit };
  return { planned: { ...planned, scan }, columns: planComparison(planned), snapshotAt };
}
