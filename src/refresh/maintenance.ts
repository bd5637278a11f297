import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { definitions } from '../config/definitions.js';
import { environmentOf } from '../config/resolve.js';
import type { Leadership } from '../engine/leadership.js';
import { FreshetError, messageOf } from '../errors.js';
import { keepEventsDays, maintenanceEveryMs, maintenanceStopMs, startRepairMs } from '../limits.js';
import { unmarkedRunId } from '../postgres/marks.js';
import { pruneEvents, recordEvent, type EventLevel } from '../state/records.js';
import { withLimit } from '../withLimit.js';
import type { Services } from './context.js';
import { tellDrift } from './drift.js';
import { recoverEnvironment } from './recover.js';
import { sweep, type Leftover } from './sweep.js';

/** Environments whose URLs are all given: only they can be looked at, and only their runs can be executed. */
export async function listReachable({
  config,
  resolve,
}: Pick<Services, 'config' | 'resolve'>): Promise<string[]> {
  const names = Object.keys(config.environments);
  const usable = await Promise.all(
    names.map((name) =>
      resolve(name).then(
        () => true,
        (error: unknown) => {
          if (error instanceof FreshetError && error.code === 'CONFIGURATION_INVALID') return false;
          throw error;
        },
      ),
    ),
  );
  return names.filter((_name, index) => usable[index]);
}

/**
 * Before an orchestrator executes anything: what a crash has left apart is brought together (I2). An environment whose servers do not answer is
 * told of and tried again by the maintenance; it does not keep the others' runs from being executed.
 */
export async function repairAtStart(services: Services, leadership: Leadership): Promise<void> {
  const repairs = (await listReachable(services)).map((environment) =>
    withLimit(recoverEnvironment(services, leadership, environment), startRepairMs).catch((error: unknown) =>
      tell(
        services,
        'warning',
        'repair.failed',
        `${environment} cannot be repaired yet: ${messageOf(error)}`,
      ),
    ),
  );
  await Promise.all(repairs);
}

/**
 * What the orchestrator does beside its runs, at its start and every few minutes: repair, sweep, compare what is live with what should be. Each
 * environment for itself: a server that hangs holds up nobody else's.
 */
export class Maintenance {
  private readonly stopped = new AbortController();
  /** Aborted when this ends, or the process. */
  private readonly signal: AbortSignal;
  /** What failed at the last look, by environment and part: told when it changes. */
  private readonly told = new Map<string, string>();
  private readonly work: Promise<void>;

  constructor(
    private readonly services: Services,
    private readonly leadership: Leadership,
  ) {
    this.signal = AbortSignal.any([this.stopped.signal, services.closing]);
    this.work = this.start();
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    // What is under way ends at its next step; a server that hangs does not keep this process.
    await withLimit(this.work, maintenanceStopMs).catch(() => undefined);
  }

  private async start(): Promise<void> {
    const environments = await pRetry(() => listReachable(this.services), {
      retries: Infinity,
      maxTimeout: maintenanceEveryMs,
      signal: this.signal,
    }).catch(() => []);
    await Promise.all(environments.map((environment) => this.keepUp(environment)));
  }

  private async keepUp(environment: string): Promise<void> {
    const { signal } = this;
    while (!signal.aborted) {
      // A state database that does not answer now answers at the next look.
      await this.look(environment).catch((error: unknown) => {
        if (!signal.aborted)
          this.services.log(`${environment} could not be looked after: ${messageOf(error)}`);
      });
      await sleep(maintenanceEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async look(environment: string): Promise<void> {
    await this.attempt(environment, 'repair', () =>
      recoverEnvironment(this.services, this.leadership, environment),
    );
    await this.attempt(environment, 'sweep', () => this.sweep(environment));
    await this.attempt(environment, 'pruning of events', () =>
      pruneEvents(this.services.state, keepEventsDays),
    );
    for (const definition of definitions(this.services.config)) {
      if (definition.environment.name !== environment) continue;
      await this.attempt(environment, `comparison of ${definition.media.name}`, () =>
        tellDrift(this.services, definition, this.signal),
      );
    }
  }

  private async sweep(environment: string): Promise<void> {
    const { keepFailedHours } = environmentOf(this.services.config, environment);
    const { removed, failures } = await sweep(this.services, {
      environment,
      media: null,
      ending: null,
      keepPrevious: true,
      keepFailedMs: keepFailedHours * 3_600_000,
      dryRun: false,
      signal: this.signal,
    });
    await tellRemoved(this.services, removed);
    if (failures.length > 0)
      throw new Error(failures.map(({ part, error }) => `${part}: ${messageOf(error)}`).join('; '));
  }

  /** What fails is told, and does not keep the rest from being done. */
  private async attempt(environment: string, what: string, work: () => Promise<void>): Promise<void> {
    if (this.signal.aborted) return;
    let failure: string | null = null;
    try {
      await work();
    } catch (error) {
      failure = messageOf(error);
    }
    if (!this.signal.aborted) await this.tellChange(environment, what, failure);
  }

  /** A server that is down for a night is one event, and its return another. */
  private async tellChange(environment: string, what: string, message: string | null): Promise<void> {
    const key = `${environment} ${what}`;
    const before = this.told.get(key) ?? null;
    if (message === before) return;
    if (message === null) {
      this.told.delete(key);
      await tell(this.services, 'info', 'maintenance.works', `${environment}: the ${what} works again`);
    } else {
      this.told.set(key, message);
      await tell(
        this.services,
        'warning',
        'maintenance.failed',
        `${environment}: the ${what} failed: ${message}`,
      );
    }
  }
}

/** One event for each run of which something was removed. */
async function tellRemoved({ state }: Services, removed: readonly Leftover[]): Promise<void> {
  for (const runId of new Set(removed.map((leftover) => leftover.runId))) {
    const own = removed.filter((leftover) => leftover.runId === runId);
    const names = own.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    await recordEvent(state, {
      // What was live before freshet is of no run.
      runId: runId === unmarkedRunId ? null : runId,
      level: 'info',
      kind: 'sweep.removed',
      message: `the sweeper removed what had been left: ${names}`,
    });
  }
}

async function tell({ state }: Services, level: EventLevel, kind: string, message: string): Promise<void> {
  await recordEvent(state, { runId: null, level, kind, message });
}
