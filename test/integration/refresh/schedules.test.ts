import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { openServices } from '../../../src/cli/services.js';
import { findDefinition } from '../../../src/config/definitions.js';
import { openSession } from '../../../src/postgres/session.js';
import { fireTick } from '../../../src/refresh/schedules.js';
import { outcomeOf, type LocalEnvironment } from '../../setup/localEnvironment.js';
import {
  createStaging,
  expectRefreshed,
  readRuns,
  staging,
  stagingVariables,
  startUp,
  until,
} from './staging.js';

const definition = 'staging_image_data_refresh';

/** The full minute that is `minutes` ago, and the schedule that names it every day. */
function minuteAgo(minutes: number): { tick: Date; schedule: string } {
  const tick = new Date(Math.floor(Date.now() / 60_000) * 60_000 - minutes * 60_000);
  return { tick, schedule: `${tick.getUTCMinutes()} ${tick.getUTCHours()} * * *` };
}

async function withSchedule(
  minutes: number,
  work: (environment: LocalEnvironment, tick: Date) => Promise<void>,
  records = 600,
): Promise<void> {
  const { tick, schedule } = minuteAgo(minutes);
  const overrides = { environments: { staging: staging({ schedule }) } };
  const environment = await createStaging(inject('parts'), { overrides, records });
  try {
    await work(environment, tick);
  } finally {
    await environment.drop();
  }
}

async function settledUntil(environment: LocalEnvironment): Promise<Date | null> {
  const { rows } = await environment.withState((session) =>
    session.query<{ until: Date }>(
      'select settled_until as until from freshet.schedule_ticks where definition = $1',
      [definition],
    ),
  );
  return rows[0]?.until ?? null;
}

/** As if the schedule had been known for a day: what it names since then is open. */
async function reopen(environment: LocalEnvironment): Promise<void> {
  await environment.withState((session) =>
    session.query(
      `update freshet.schedule_ticks set settled_until = now() - interval '1 day' + interval '1 hour'`,
    ),
  );
}

async function readEvents(environment: LocalEnvironment, kind: string): Promise<string[]> {
  const { rows } = await environment.withState((session) =>
    session.query<{ message: string }>('select message from freshet.events where kind = $1 order by id', [
      kind,
    ]),
  );
  return rows.map(({ message }) => message);
}

describe.concurrent('a schedule', { timeout: 600_000 }, () => {
  it('adds one run for a time that it names, but none for a time before it was known', async () => {
    await withSchedule(0, async (environment, tick) => {
      const up = startUp(environment, { FRESHET_PRODUCTION_API_URL: 'postgres://nobody@127.0.0.1:9/none' });
      await up.says(/^schedule staging_image_data_refresh: next at /m);
      const next = new Date(tick.getTime() + 86_400_000).toISOString();
      expect(up.said()).toContain(`schedule ${definition}: next at ${next}`);
      // Somebody began to give production its URLs; local and those of which nothing is set are nobody's business here.
      expect(up.said()).toMatch(
        /^not scheduled: production_image_data_refresh: .*FRESHET_PRODUCTION_SEARCH_URL is not set/m,
      );
      await until('the schedule to be known', async () => (await settledUntil(environment)) !== null);
      expect((await settledUntil(environment))?.getTime()).toBeGreaterThan(tick.getTime());
      expect(await readRuns(environment)).toEqual([]);

      await reopen(environment);
      await until('the run to end', async () => (await readRuns(environment))[0]?.state === 'succeeded');
      await expectRefreshed(environment);
      expect(await readRuns(environment)).toHaveLength(1);
      expect(await settledUntil(environment)).toEqual(tick);
      expect(await readEvents(environment, 'run.scheduled')).toEqual([
        expect.stringContaining(`(UTC) for ${tick.toISOString()}`),
      ]);
    });
  });

  it('skips a time while a run of the definition is active, and says so', async () => {
    await withSchedule(0, async (environment, tick) => {
      const up = startUp(environment);
      await up.says(/^up:/m);
      await until('the schedule to be known', async () => (await settledUntil(environment)) !== null);
      const gate = await openSession(environment.catalog.url, { applicationName: 'test', called: 'catalog' });
      await gate.query('begin; lock table public.image in access exclusive mode');
      const refresh = environment.spawn(
        ['refresh', 'staging', 'image', '--json'],
        stagingVariables(environment),
      );
      const followed = outcomeOf(refresh);
      await until('the run to be active', async () => (await readRuns(environment)).length === 1);
      await reopen(environment);
      await until(
        'the tick to be settled',
        async () => (await settledUntil(environment))?.getTime() === tick.getTime(),
      );
      expect(await readEvents(environment, 'schedule.skipped')).toEqual([
        expect.stringMatching(
          new RegExp(
            `${definition} was not started for ${tick.toISOString()} as scheduled: .* already \\(run `,
          ),
        ),
      ]);
      await gate.query('commit');
      await gate.end();
      expect((await followed).status).toBe(0);
      expect(await readRuns(environment)).toHaveLength(1);
    });
  });

  it('does not make up for a time that is longer ago than its grace, and says so', async () => {
    await withSchedule(
      10,
      async (environment, tick) => {
        const up = startUp(environment);
        await up.says(/^up:/m);
        await until('the schedule to be known', async () => (await settledUntil(environment)) !== null);
        await reopen(environment);
        await until(
          'the tick to be settled',
          async () => (await readEvents(environment, 'schedule.missed')).length > 0,
        );
        expect(await readEvents(environment, 'schedule.missed')).toEqual([
          `${definition} did not run at ${tick.toISOString()} as scheduled: no orchestrator was up; it is not made up for`,
        ]);
        expect(await readRuns(environment)).toEqual([]);
      },
      0,
    );
  });

  it.each(['enqueue.beforeCommit', 'enqueue.afterCommit'])(
    'is fired once where the orchestrator is killed at %s, and not lost',
    async (failpoint) => {
      await withSchedule(0, async (environment, tick) => {
        const killed = startUp(environment, { FRESHET_FAILPOINT: failpoint });
        await killed.says(/^up:/m);
        await until('the schedule to be known', async () => (await settledUntil(environment)) !== null);
        await reopen(environment);
        expect((await killed.ended).signal).toBe('SIGKILL');
        const isAdded = failpoint === 'enqueue.afterCommit';
        expect(await readRuns(environment)).toHaveLength(isAdded ? 1 : 0);
        expect((await settledUntil(environment))?.getTime() === tick.getTime()).toBe(isAdded);
        const next = startUp(environment);
        await next.says(/^up:/m);
        await until('the run to end', async () => (await readRuns(environment))[0]?.state === 'succeeded');
        await expectRefreshed(environment);
        expect(await readRuns(environment)).toHaveLength(1);
        expect(await settledUntil(environment)).toEqual(tick);
      });
    },
  );

  it('is fired once where two processes fire it at the same moment', async () => {
    await withSchedule(
      0,
      async (environment, tick) => {
        const open = () =>
          openServices({
            configFile: join(environment.folder, 'freshet.config.mjs'),
            environment: 'staging',
            env: { ...environment.env, ...stagingVariables(environment) },
            report: () => undefined,
            log: () => undefined,
          });
        const both = [await open(), await open()];
        await environment.withState((session) =>
          session.query(
            `insert into freshet.schedule_ticks values ($1, '* * * * *', now() - interval '1 day')`,
            [definition],
          ),
        );
        for (let round = 0; round < 10; round += 1) {
          await reopen(environment);
          await Promise.all(
            both.map((services) => {
              const scheduled = findDefinition(services.config, [definition]);
              return fireTick(services, { definition: scheduled, expression: '* * * * *' }, tick);
            }),
          );
          expect(await readRuns(environment)).toHaveLength(round + 1);
          expect(await settledUntil(environment)).toEqual(tick);
          await environment.withState((session) =>
            session.query(
              `update freshet.runs set state = 'cancelled', finished_at = now() where finished_at is null`,
            ),
          );
        }
        await Promise.all(both.map((services) => services.close()));
      },
      0,
    );
  });
});

describe.concurrent('a paused definition', { timeout: 600_000 }, () => {
  it('is neither scheduled, nor started, retried or promoted by command, until it is resumed; its held run waits', async () => {
    await withSchedule(0, async (environment, tick) => {
      const variables = stagingVariables(environment);
      const run = (...words: string[]) => environment.run(words, variables);
      const up = startUp(environment);
      await up.says(/^up:/m);
      await until('the schedule to be known', async () => (await settledUntil(environment)) !== null);
      expect((await run('refresh', 'staging', 'image', '--hold', '--json')).status).toBe(0);
      const [held] = await readRuns(environment);
      expect(held?.state).toBe('held');

      const paused = await run('pause', 'staging', 'image');
      expect(paused.status).toBe(0);
      expect(paused.stdout).toMatch(
        /^paused staging_image_data_refresh since .*Z\n→ freshet resume staging_image_data_refresh/,
      );
      const again = await run('pause', definition, '--json');
      expect(JSON.parse(again.stdout)).toMatchObject({ definition, paused: true });

      for (const words of [
        ['refresh', 'staging', 'image'],
        ['promote', held?.id ?? ''],
      ]) {
        const refused = await run(...words);
        expect(refused.status).toBe(2);
        expect(refused.stderr).toMatch(/staging_image_data_refresh is paused since .* \(DEFINITION_PAUSED\)/);
        expect(refused.stderr).toContain('`freshet resume staging_image_data_refresh`');
      }
      await reopen(environment);
      await until(
        'the tick to be settled',
        async () => (await settledUntil(environment))?.getTime() === tick.getTime(),
      );
      expect(await readEvents(environment, 'schedule.skipped')).toEqual([
        expect.stringContaining('is paused since'),
      ]);
      expect(await readRuns(environment)).toEqual([held]);
      // What is cancelled is not begun: a pause is not in the way.
      expect((await run('cancel', held?.id ?? '')).status).toBe(0);
      expect((await readRuns(environment))[0]?.state).toBe('cancelled');

      // A time that passes while nobody is up, either, is not made up for.
      up.child.kill('SIGTERM');
      await up.ended;
      await reopen(environment);
      const resumed = await run('resume', 'staging', 'image');
      expect(resumed.stdout).toMatch(/^resumed staging_image_data_refresh, which was paused since /);
      expect((await settledUntil(environment))?.getTime()).toBeGreaterThan(tick.getTime());
      expect((await run('resume', definition)).stdout).toBe(`${definition} was not paused.\n`);
      const next = startUp(environment);
      await next.says(/^up:/m);
      expect((await run('refresh', 'staging', 'image', '--json')).status).toBe(0);
      expect((await readRuns(environment)).map(({ state }) => state)).toEqual(['cancelled', 'succeeded']);
    });
  });

  it('may be a filtered index, or one of which a failed run is retried', async () => {
    const environment = await createStaging(inject('parts'));
    try {
      const variables = stagingVariables(environment);
      const run = (...words: string[]) => environment.run(words, variables);
      const up = startUp(environment);
      await up.says(/^up:/m);
      // Fails before anything is copied.
      await environment.withApi((session) => session.query('alter table public.image rename to image_away'));
      const failed = await run('refresh', 'staging', 'image', '--json');
      expect(failed.status).not.toBe(0);
      const [failedRun] = await readRuns(environment);
      await environment.withApi((session) => session.query('alter table public.image_away rename to image'));

      expect((await run('pause', definition)).status).toBe(0);
      const retried = await run('retry', failedRun?.id ?? '');
      expect([retried.status, retried.stderr]).toEqual([2, expect.stringContaining('DEFINITION_PAUSED')]);
      expect(await readRuns(environment)).toEqual([failedRun]);

      // Of another definition: its own pause, before the search cluster is asked for a live index that is not there.
      const filtered = 'staging_create_filtered_image_index';
      expect((await run('filtered-index', 'staging', 'image')).stderr).toContain('ORIGIN_NOT_LIVE');
      expect((await run('pause', filtered)).stdout).toContain(`paused ${filtered}`);
      const refused = await run('filtered-index', 'staging', 'image');
      expect([refused.status, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`\`freshet resume ${filtered}\``),
      ]);

      const unknown = await run('pause', 'staging_create_filtered_imag_index');
      expect([unknown.status, unknown.stderr]).toEqual([
        64,
        expect.stringContaining(`Did you mean "${filtered}"`),
      ]);
    } finally {
      await environment.drop();
    }
  });
});
