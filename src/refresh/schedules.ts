import { setTimeout as sleep } from 'node:timers/promises';
import { nextTick } from '../config/cron.js';
import { definitions } from '../config/definitions.js';
import type { RefreshDefinition } from '../config/types.js';
import { FreshetError, messageOf } from '../errors.js';
import { scheduleGraceMs, schedulePollMs } from '../limits.js';
import { listPaused } from '../state/paused.js';
import {
  knowSchedules,
  passOverTicks,
  readScheduleTicks,
  settleTick,
  type ScheduleTicks,
} from '../state/scheduleTicks.js';
import type { Services } from './context.js';
import { startRefresh } from './startRun.js';

/**
 * The orchestrator's clock: adds a refresh when a definition's schedule names the time (UTC). Nothing is made up for: a tick that nobody was there
 * for is missed, except within `scheduleGraceMs`, which a restart or a take-over needs. At most one run of a definition is active: a tick
 * while one is, is skipped.
 */
export interface Schedule {
  readonly definition: RefreshDefinition;
  /** Cron expression, UTC. */
  readonly expression: string;
}

/** The schedules that this process serves, and those that it cannot, with the reason. */
export interface Schedules {
  readonly served: readonly Schedule[];
  readonly unserved: readonly {
    readonly definition: string;
    readonly environment: string;
    readonly reason: string;
  }[];
}

/** Schedules of the environments that can be used: all their URLs are there, and their state is in this state database. */
export async function findSchedules(
  { config, resolve }: Pick<Services, 'config' | 'resolve'>,
  stateUrl: string,
): Promise<Schedules> {
  const served: Schedule[] = [];
  const unserved: { definition: string; environment: string; reason: string }[] = [];
  for (const definition of definitions(config)) {
    const expression = definition.settings.schedule;
    if (expression === null) continue;
    const environment = definition.environment.name;
    const reason = await resolve(environment).then(
      (urls) => (urls.stateUrl === stateUrl ? null : 'its state is in another database'),
      (error: unknown) => messageOf(error),
    );
    if (reason === null) served.push({ definition, expression });
    else unserved.push({ definition: definition.id, environment, reason });
  }
  return { served, unserved };
}

export interface NextRun {
  readonly definition: string;
  readonly schedule: string;
  /** Null while it is paused. */
  readonly nextAt: Date | null;
  readonly pausedSince: Date | null;
}

/** When each definition that has a schedule runs next, the soonest first. */
export async function nextRuns(
  services: Pick<Services, 'config' | 'resolve' | 'state'>,
  stateUrl: string,
  now = new Date(),
): Promise<NextRun[]> {
  const { served } = await findSchedules(services, stateUrl);
  const paused = new Map(
    (await listPaused(services.state)).map((pause) => [pause.definition, pause.pausedAt]),
  );
  const runs = served.map(({ definition, expression }): NextRun => {
    const pausedSince = paused.get(definition.id) ?? null;
    const nextAt = pausedSince === null ? nextTick(expression, now) : null;
    return { definition: definition.id, schedule: expression, nextAt, pausedSince };
  });
  return runs.sort(
    (one, other) => (one.nextAt?.getTime() ?? Infinity) - (other.nextAt?.getTime() ?? Infinity),
  );
}

/** Serves the schedules until the signal aborts. A fault ends nothing: within the grace it is tried again. */
export async function serveSchedules(
  services: Services,
  schedules: readonly Schedule[],
  signal: AbortSignal,
): Promise<void> {
  let isKnown = false;
  while (!signal.aborted) {
    try {
      if (!isKnown) await knowSchedules(services.state, schedules.map(describe));
      isKnown = true;
      const ticks = await readScheduleTicks(services.state);
      for (const schedule of schedules) await serve(services, schedule, ticks);
    } catch (error) {
      if (!signal.aborted) services.log(`schedules: ${messageOf(error)}; tried again`);
    }
    await sleep(schedulePollMs, undefined, { signal }).catch(() => undefined);
  }
}

function describe({ definition, expression }: Schedule): { definition: string; schedule: string } {
  return { definition: definition.id, schedule: expression };
}

async function serve(
  services: Services,
  schedule: Schedule,
  { now, settledUntil }: ScheduleTicks,
): Promise<void> {
  const { id } = schedule.definition;
  const { missed, due } = ticksOf(schedule.expression, settledUntil.get(id) ?? now, now);
  if (missed !== null) {
    const until = due === null ? graceBegin(now) : new Date(due.getTime() - 1);
    const message = `${id} did not run at ${missed.toISOString()} as scheduled: no orchestrator was up; it is not made up for`;
    await passOverTicks(services.state, id, until, { level: 'warning', kind: 'schedule.missed', message });
  }
  if (due !== null) await fireTick(services, schedule, due);
}

interface OpenTicks {
  /** The first that is too old to be fired. */
  readonly missed: Date | null;
  /** The last that is not. */
  readonly due: Date | null;
}

/** What a schedule has named since it was settled. Pure. */
export function ticksOf(expression: string, settledUntil: Date, now: Date): OpenTicks {
  const first = nextTick(expression, settledUntil);
  if (first === null || first > now) return { missed: null, due: null };
  const grace = graceBegin(now);
  let due = first > grace ? first : null;
  for (
    let tick = nextTick(expression, due ?? grace);
    tick !== null && tick <= now;
    tick = nextTick(expression, tick)
  ) {
    due = tick;
  }
  return { missed: first > grace ? null : first, due };
}

/** Ticks after this moment are still fired. */
function graceBegin(now: Date): Date {
  return new Date(now.getTime() - scheduleGraceMs);
}

/** Somebody else has settled the tick: nothing is to be added, and nothing is wrong. */
class AlreadySettled extends Error {}

/** Adds the run of a tick, once; or skips it where a run of the definition is active, or the definition is paused. */
export async function fireTick(services: Services, schedule: Schedule, tick: Date): Promise<void> {
  const { id } = schedule.definition;
  const at = tick.toISOString();
  try {
    await startRefresh(services, schedule.definition, {}, async (client, runId) => {
      if (!(await settleTick(client, id, tick))) throw new AlreadySettled();
      await client.query(
        `insert into freshet.events (run_id, level, kind, message) values ($1, 'info', 'run.scheduled', $2)`,
        [runId, `added by the schedule ${schedule.expression} (UTC) for ${at}`],
      );
    });
    services.log(`schedules: ${id} added for ${at}`);
  } catch (error) {
    if (error instanceof AlreadySettled) return;
    if (!(error instanceof FreshetError)) throw error;
    if (error.code !== 'ALREADY_RUNNING' && error.code !== 'DEFINITION_PAUSED') throw error;
    const message = `${id} was not started for ${at} as scheduled: ${error.message}`;
    const told = await passOverTicks(services.state, id, tick, {
      level: 'warning',
      kind: 'schedule.skipped',
      message,
    });
    if (told) services.log(`schedules: ${message}`);
  }
}
