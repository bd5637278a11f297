import { copyMedia } from '../../copy/copyMedia.js';
import type { CopyOptions, TableCopyResult } from '../../copy/types.js';
import { failpoint } from '../../failpoints.js';
import { recordApplied } from '../../postgres/applied.js';
import { withTransaction } from '../../postgres/session.js';
import { version } from '../../version.js';
import type { RunContext } from '../context.js';
import type { Report, Step } from '../phase.js';
import { describeLiveTables } from '../tables.js';
import { noteApplied } from '../writersDeletions.js';

/** What the copy of one table did; ids as text, because they may pass 2^53. */
export type CopiedTable = Omit<TableCopyResult, 'nextId'> & { readonly nextId: string };

export interface CopySummary {
  readonly snapshotAt: string | null;
  readonly tables: readonly CopiedTable[];
  /** The live tables that ids were kept of, by `schema.name`: another table in their place at the swap would have other ids. */
  readonly liveOids: Readonly<Record<string, number>>;
}

/** What a copy of this run is to do. */
export function copyOptionsOf(
  context: RunContext,
  onProgress: CopyOptions['onProgress'] = () => undefined,
): CopyOptions {
  const { definition, environment, run } = context;
  return {
    catalogUrl: environment.catalogUrl,
    apiUrl: environment.apiUrl,
    media: definition.media,
    runId: run.id,
    recordLimit: run.parameters.recordLimit,
    allowEmpty: definition.environment.gate.allowEmpty,
    version,
    isRunOver: (id) => context.isOver(id),
    onProgress,
    signal: context.cancelled,
  };
}

/** Copies the catalog's rows into the temp tables, filtered and transformed in the same pass, in one transaction: a crash leaves nothing. */
export const copyData: Step<CopySummary> = async (context, report) => {
  const liveOids = await readLiveOids(context);
  const result = await copyMedia(copyOptionsOf(context, reportRows(report)));
  await noteApplied(context);
  return {
    snapshotAt: result.snapshotAt.toISOString(),
    tables: result.tables.map((table) => ({ ...table, nextId: String(table.nextId) })),
    liveOids,
  };
};

async function readLiveOids(context: RunContext): Promise<Record<string, number>> {
  const shapes = await context.withApi((session) => describeLiveTables(session, context.definition.media));
  return Object.fromEntries(shapes.map(({ name, oid }) => [`${name.schema}.${name.name}`, oid]));
}

/** Sums the progress over the media type's tables. */
function reportRows(report: Report): CopyOptions['onProgress'] {
  const tables = new Map<string, { rowsCopied: number; rowsExpected: number }>();
  return (progress) => {
    tables.set(progress.table, progress);
    const sum = (of: (p: { rowsCopied: number; rowsExpected: number }) => number): number =>
      [...tables.values()].reduce((total, p) => total + of(p), 0);
    report({ done: sum((p) => p.rowsCopied), total: sum((p) => p.rowsExpected), unit: 'rows' });
  };
}

/** Without a copy: which deletions and sensitive marks the indexes are going to have taken into account is recorded now. */
export const skipCopy: Step<CopySummary> = async (context) => {
  await recordAppliedSets(context);
  failpoint(context.run.flow === 'refresh' ? 'copy.applied' : 'applied-sets.applied');
  await noteApplied(context);
  return { snapshotAt: null, tables: [], liveOids: {} };
};

async function recordAppliedSets(context: RunContext): Promise<void> {
  const { main, sensitiveMediaTable } = context.definition.media;
  await context.withApi((session) =>
    withTransaction(session, async () => {
      for (const relation of [main.deletedMediaTable, sensitiveMediaTable]) {
        if (relation !== null) await recordApplied(session, context.run.id, relation);
      }
    }),
  );
}
