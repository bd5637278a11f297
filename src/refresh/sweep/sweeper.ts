import type { ResolvedEnvironment } from '../../config/resolve.js';
import { endLeftWorker, whyWorkerKept } from '../../fleet/leftWorkers.js';
import { sweepLockWindowMs, sweepSessionMs } from '../../limits.js';
import { dropParts } from '../../postgres/generations.js';
import { releaseHold } from '../../postgres/holders.js';
import { forgetRuns, forgetVanished, hasMarks } from '../../postgres/marks.js';
import { recordUnserved } from '../../postgres/promotions.js';
import { withSession, type Session } from '../../postgres/session.js';
import { openSearchClient } from '../../search/client.js';
import { endReindexTasks } from '../../search/reindexTask.js';
import { recordGone } from '../../state/generations.js';
import { readStateId } from '../../state/identity.js';
import { listLeftWorkers, workerGone } from '../../state/workers.js';
import type { Services } from '../context.js';
import { endLeftSession, findInApi, findSessions, type ApiLeftovers } from './apiDatabase.js';
import type { AssertLocked } from './lock.js';
import { keptGenerations, whyRunKept, type Leftover, type SweepRules } from './rules.js';
import { findInSearch, removeAlias, removeIndex, type SearchLeftovers } from './searchCluster.js';

/** Between two effects of a sweep: where a test may end the process. */
export type SweepPoint = 'tables' | 'index' | 'indexes' | 'applied';

export interface SweepOptions {
  readonly environment: string;
  /** One media type, and only what runs made; null = all of the environment, and what is still at work for runs that are over. */
  readonly media: string | null;
  /** Only what this run made, which ends now and of which nothing is needed any more; null = all runs that are over. */
  readonly ending: string | null;
  readonly keepPrevious: boolean;
  /** What a run made that can be retried stays so long after its end, ms; 0 = it goes now. */
  readonly keepFailedMs: number;
  /** Look only. */
  readonly dryRun: boolean;
  /** Ends the sweep between two removals. */
  readonly signal?: AbortSignal;
  readonly passed?: (point: SweepPoint) => void;
}

/** Something that could not be looked at or removed. The next sweep tries again. */
export interface SweepFailure {
  /** `API database`, `search cluster`. */
  readonly part: string;
  readonly error: unknown;
}

export interface Sweep {
  /** In a dry run: what would be. */
  readonly removed: readonly Leftover[];
  /** What stays, and why. */
  readonly kept: readonly Leftover[];
  readonly failures: readonly SweepFailure[];
}

export interface SweepContext extends Pick<Services, 'config' | 'state'> {
  readonly urls: ResolvedEnvironment;
  readonly options: SweepOptions;
  readonly rules: SweepRules;
  readonly assertLocked: AssertLocked;
}

/** One sweep of one environment. */
export class Sweeper {
  private readonly removed: Leftover[] = [];
  private readonly kept: Leftover[] = [];
  private readonly failures: SweepFailure[] = [];

  constructor(private readonly context: SweepContext) {}

  /** What is at work first, then what it works on, then what is only noted of it. */
  async run(): Promise<Sweep> {
    const { media, ending } = this.context.options;
    if (media === null || ending !== null) await this.attempt('workers', () => this.sweepWorkers());
    if (media === null) {
      await this.attempt('catalog', () => this.inDatabase('catalog', (session) => this.endSessions(session)));
    }
    const inApi = await this.attempt('API database', () =>
      this.inDatabase('API database', (session) => this.sweepApi(session)),
    );
    const inSearch = await this.attempt('search cluster', () => this.sweepSearch(inApi));
    if (inApi !== null && inSearch !== null) {
      await this.attempt('API database', () => this.forgetApplied(inApi, inSearch));
      await this.attempt('state database', () => this.noteGone(inApi, inSearch));
    }
    const { removed, kept, failures } = this;
    return { removed, kept, failures };
  }

  /** What fails is told, and does not keep the rest from being swept. */
  private async attempt<T>(part: string, work: () => Promise<T>): Promise<T | null> {
    try {
      this.context.options.signal?.throwIfAborted();
      return await work();
    } catch (error) {
      this.failures.push({ part, error });
      return null;
    }
  }

  private inDatabase<T>(
    called: 'catalog' | 'API database',
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const { catalogUrl, apiUrl } = this.context.urls;
    const options = { applicationName: 'freshet sweep', called, limitMs: sweepSessionMs };
    return withSession(called === 'catalog' ? catalogUrl : apiUrl, options, work);
  }

  private async sweepWorkers(): Promise<void> {
    const { state, options } = this.context;
    const workers = (await listLeftWorkers(state, options.environment, options.ending)).map((worker) => ({
      kind: 'worker' as const,
      name: `worker ${worker.id}${worker.process === null ? '' : ` (pid ${worker.process.pid} on ${worker.process.host})`}`,
      runId: worker.runId,
      kept: whyWorkerKept(worker),
      worker,
    }));
    await this.removeEach(workers, async ({ worker }) => {
      await endLeftWorker(worker);
      await workerGone(state, worker.runId, worker.id);
    });
  }

  private async endSessions(session: Session): Promise<void> {
    const sessions = await findSessions(session, this.context.rules);
    await this.removeEach(sessions, (left) => endLeftSession(session, left));
  }

  private async sweepApi(session: Session): Promise<ApiLeftovers> {
    const { rules, options, state } = this.context;
    if (options.media === null) await this.endSessions(session);
    const found = await findInApi(session, rules, await readStateId(state));
    if (options.media === null)
      await this.removeEach(found.holders, ({ runId }) => releaseHold(session, runId));
    for (const media of rules.media) {
      const tables = found.tables.filter(({ part }) => part.media === media);
      await this.attempt('API database', () =>
        this.remove(tables, (going) =>
          dropParts(
            session,
            going.map(({ part }) => part),
            sweepLockWindowMs,
          ),
        ),
      );
    }
    if (!options.dryRun && (await hasMarks(session))) await forgetVanished(session);
    options.passed?.('tables');
    return found;
  }

  private async sweepSearch(inApi: ApiLeftovers | null): Promise<SearchLeftovers> {
    const { rules, options, config, urls, assertLocked } = this.context;
    const media = rules.media.flatMap((name) => config.media[name] ?? []);
    const { signal } = options;
    const client = openSearchClient(urls.searchUrls, {
      beforeWrite: assertLocked,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      const found = await findInSearch(client, rules, media, inApi?.halfPromoted ?? null);
      await this.removeEach(found.tasks, ({ name }) => endReindexTasks(client, name));
      await this.removeEach(found.aliases, (alias) => removeAlias(client, alias));
      await this.removeEach(found.indexes, async ({ name }) => {
        await removeIndex(client, name);
        options.passed?.('index');
      });
      options.passed?.('indexes');
      return found;
    } finally {
      await client.close();
    }
  }

  /** Which deletions a run took into account is needed as long as anything of it is there: a retry, a reconcile, a way back use it. */
  private async forgetApplied(inApi: ApiLeftovers, inSearch: SearchLeftovers): Promise<void> {
    const { rules, options } = this.context;
    const needed = new Set([
      ...keptGenerations(rules).map(({ runId }) => runId),
      ...inApi.keptRuns,
      ...inSearch.keptRuns,
    ]);
    const rows = inApi.appliedRuns
      .filter((runId) => !needed.has(runId) && this.isLookedAt(runId))
      .map((runId) => ({
        kind: 'rows' as const,
        name: `what run ${runId} had taken into account`,
        runId,
        kept: whyRunKept(rules, runId),
      }));
    const forget = (going: readonly Leftover[]): Promise<void> =>
      this.inDatabase('API database', (session) =>
        forgetRuns(
          session,
          going.map(({ runId }) => runId),
        ),
      );
    await this.remove(rows, forget);
    options.passed?.('applied');
  }

  private isLookedAt(runId: string): boolean {
    const { rules, options } = this.context;
    const media = rules.runs.get(runId)?.media;
    return media === undefined ? options.media === null : rules.media.includes(media);
  }

  /** Generations of which nothing is left, or that are no longer the previous one. */
  private async noteGone(inApi: ApiLeftovers, inSearch: SearchLeftovers): Promise<void> {
    const { rules, options, state } = this.context;
    if (options.dryRun || this.failures.length > 0) return;
    const kept = keptGenerations(rules);
    const isLeft = (runId: string): boolean => inApi.keptRuns.has(runId) || inSearch.keptRuns.has(runId);
    const gone = rules.generations.filter(
      (one) =>
        !kept.includes(one) &&
        rules.media.includes(one.media) &&
        (options.ending === null || one.runId === options.ending) &&
        whyRunKept(rules, one.runId) === null &&
        (one.state === 'previous' || !isLeft(one.runId)),
    );
    const ids = gone.map(({ id }) => id);
    if (ids.length === 0) return;
    // First where it is known without the state.
    await this.inDatabase('API database', (session) => recordUnserved(session, ids));
    await recordGone(state, ids);
  }

  private async removeEach<T extends Leftover>(
    leftovers: readonly T[],
    removal: (leftover: T) => Promise<void>,
  ): Promise<void> {
    for (const leftover of leftovers) await this.remove([leftover], () => removal(leftover));
  }

  /** Sorts out what stays, and removes the rest together. */
  private async remove<T extends Leftover>(
    leftovers: readonly T[],
    removal: (going: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const { ending, dryRun, signal } = this.context.options;
    const looked = leftovers.filter(({ runId }) => ending === null || runId === ending);
    this.kept.push(...looked.filter(({ kept }) => kept !== null).map(toPlain));
    const going = looked.filter(({ kept }) => kept === null);
    if (going.length === 0) return;
    if (!dryRun) {
      signal?.throwIfAborted();
      await this.context.assertLocked();
      await removal(going);
    }
    this.removed.push(...going.map(toPlain));
  }
}

function toPlain({ kind, name, runId, kept }: Leftover): Leftover {
  return { kind, name, runId, kept };
}
