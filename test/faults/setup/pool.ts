import { join } from 'node:path';
import type { FleetWorker } from '../../../src/fleet/fleet.js';
import { localFleet } from '../../../src/fleet/localFleet.js';
import { openverseAnalysis, imageMappings } from '../../../src/documents/openverseIndex.js';
import { splitIdRanges } from '../../../src/indexing/ranges.js';
import { indexSlices, type PoolLimits } from '../../../src/refresh/workerPool.js';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';
import { createIndex } from '../../../src/search/index.js';
import { writeAlias } from '../../../src/search/names.js';
import { planSlices, sumSlices, type SliceTotals } from '../../../src/state/slices.js';
import { openState, type State } from '../../../src/state/state.js';
import { uniqueName } from '../../setup/databases.js';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import type { Pauses } from './pauses.js';

/** How one worker is connected: default: directly. */
export interface Wiring {
  readonly apiUrl?: string;
  readonly searchUrl?: string;
  /** What the orchestrator calls instead of the worker. */
  readonly frontOf?: (workerUrl: string) => Promise<string>;
  /** Where it waits. */
  readonly pauses?: Pauses;
  /** Nobody can end it: it is on a machine that is cut off. */
  readonly isOutOfReach?: boolean;
}

/** A reindex by the real pool with real workers, without the rest of a run: the table is the live one. */
export class Reindex {
  readonly events: string[] = [];
  private started = 0;
  /** Workers in the order in which they were started. */
  readonly workers: FleetWorker[] = [];
  readonly index: string;
  readonly alias: string;

  private constructor(
    private readonly local: LocalEnvironment,
    readonly state: State,
    readonly client: SearchClient,
    readonly runId: string,
  ) {
    this.index = `${local.aliases.image}-${runId}`;
    this.alias = writeAlias(this.index);
  }

  /** Plans so many slices of the live table. */
  static async prepare(local: LocalEnvironment, slices: number): Promise<Reindex> {
    const runId = uniqueName('run').replace('_', '-');
    const state = await openState(local.state.url);
    const client = openSearchClient([local.searchUrl]);
    const reindex = new Reindex(local, state, client, runId);
    await state.pool.query(
      `insert into freshet.runs (id, definition, environment, media, flow, parameters, state, version)
       values ($1, $1, 'local', 'image', 'refresh', '{}', 'running', 'test')`,
      [runId],
    );
    await createIndex(client, {
      name: reindex.index,
      index: {
        alias: local.aliases.image,
        filteredAlias: `${local.aliases.image}-filtered`,
        analysis: openverseAnalysis,
        mappings: imageMappings,
        sensitiveTermFields: [],
      },
      shards: 1,
      mark: { runId, media: 'image', role: 'main', version: 'test' },
      writeAlias: reindex.alias,
    });
    const { rows } = await local.withApi((session) =>
      session.query<{ first: string; last: string }>(
        'select min(id) as first, max(id) as last from public.image',
      ),
    );
    const { first = '0', last = '0' } = rows[0] ?? {};
    const ranges = splitIdRanges(BigInt(first), BigInt(last), slices).map((range) => ({
      kind: 'ids' as const,
      start: Number(range.startId),
      end: Number(range.endId),
    }));
    await planSlices(state, runId, ranges);
    return reindex;
  }

  /** Runs the pool to its end. @param wirings of the first worker, the second, and so on; of all others: none. */
  async run(
    workers: number,
    wirings: readonly Wiring[],
    limits: Partial<PoolLimits> = {},
  ): Promise<SliceTotals> {
    await indexSlices({
      state: this.state,
      runId: this.runId,
      fleet: {
        kind: 'local',
        start: (id, signal) => this.start(id, wirings[this.started++] ?? {}, signal),
      },
      workers,
      model: 'image',
      rejectsMax: 0,
      task: {
        model_name: 'image',
        table_name: 'public.image',
        target_index: this.alias,
        require_alias: true,
        run_id: this.runId,
      },
      signal: new AbortController().signal,
      onProgress: () => undefined,
      event: (_level, kind, message) => {
        this.events.push(`${kind}: ${message}`);
        return Promise.resolve();
      },
      limits,
    });
    return sumSlices(this.state, this.runId);
  }

  private async start(id: string, wiring: Wiring, signal: AbortSignal): Promise<FleetWorker> {
    const fleet = localFleet({
      environment: 'local',
      configFile: join(this.local.folder, 'freshet.config.mjs'),
      apiUrl: wiring.apiUrl ?? this.local.api.url,
      searchUrls: [wiring.searchUrl ?? this.local.searchUrl],
      log: () => undefined,
    });
    // A local worker gets the environment of this process as it is when it is started.
    Object.assign(process.env, wiring.pauses?.env);
    const starting = fleet.start(id, signal);
    delete process.env['FRESHET_PAUSE_FOLDER'];
    const worker = await starting;
    this.workers.push(worker);
    const front = await wiring.frontOf?.(worker.url);
    return {
      id,
      pid: worker.pid,
      isGone: () => worker.isGone(),
      url: front ?? worker.url,
      stop: (how) => (wiring.isOutOfReach === true ? Promise.resolve() : worker.stop(how)),
    };
  }

  /** Ends workers that nobody could end, and the connections. */
  async close(): Promise<void> {
    for (const worker of this.workers) await worker.stop('at once');
    await this.client.close();
    await this.state.close();
  }
}
