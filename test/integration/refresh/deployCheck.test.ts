import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { identifyProcess } from '../../../src/embedded/processes.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { openState } from '../../../src/state/state.js';
import type { CommandOutcome, LocalEnvironment } from '../../setup/localEnvironment.js';
import { outcomeOf } from '../../setup/localEnvironment.js';
import { startTcpProxy } from '../../setup/tcpProxy.js';
import { createStaging, readRuns, stagingVariables, startUp, until } from './staging.js';

interface Answer {
  readonly verdict: string;
  readonly environments: readonly {
    readonly environment: string;
    readonly verdict: string;
    readonly busy: readonly {
      readonly run: string;
      readonly definition: string;
      readonly state: string;
      readonly since: string;
      readonly expectedEnd: string | null;
      readonly estimatedFrom: number;
    }[];
    readonly holders: readonly { readonly runId: string }[];
    readonly held: readonly { readonly run: string; readonly definition: string }[];
    readonly orchestrator: boolean | null;
    readonly notes: readonly string[];
  }[];
}

type Variables = Readonly<Record<string, string>>;

async function check(
  environment: LocalEnvironment,
  variables: Variables = {},
  name = 'staging',
): Promise<CommandOutcome> {
  return environment.run(['deploy-check', name], { ...stagingVariables(environment), ...variables });
}

async function checkJson(
  environment: LocalEnvironment,
  variables: Variables = {},
  ...name: string[]
): Promise<{ status: number | null; answer: Answer }> {
  const outcome = await environment.run(['deploy-check', ...name, '--json'], {
    ...stagingVariables(environment),
    ...variables,
  });
  return { status: outcome.status, answer: JSON.parse(outcome.stdout) as Answer };
}

/** Staging whose state has its tables. */
async function withStaging(
  work: (environment: LocalEnvironment) => Promise<void>,
  records = 0,
): Promise<void> {
  const environment = await createStaging(inject('parts'), { records });
  try {
    const state = await openState(environment.state.url);
    await state.close();
    await work(environment);
  } finally {
    await environment.drop();
  }
}

/** Lets runs that copy wait until it is closed. */
async function closeGate(environment: LocalEnvironment, table: string): Promise<Session> {
  const gate = await openSession(environment.catalog.url, { applicationName: 'test', called: 'catalog' });
  await gate.query(`begin; lock table public.${table} in access exclusive mode`);
  return gate;
}

describe.concurrent('freshet deploy-check', { timeout: 600_000 }, () => {
  it('says idle where nothing is under way, and changes nothing', async () => {
    await withStaging(async (environment) => {
      const outcome = await check(environment);
      expect(outcome).toMatchObject({ status: 0, stdout: 'staging: idle\n', stderr: '' });
      const { status, answer } = await checkJson(environment);
      expect(status).toBe(0);
      expect(answer).toMatchObject({
        verdict: 'idle',
        environments: [
          { environment: 'staging', verdict: 'idle', busy: [], holders: [], held: [], notes: [] },
        ],
      });
      const { rows } = await environment.withApi((session) =>
        session.query(`select nspname from pg_namespace where nspname = 'freshet'`),
      );
      expect(rows).toEqual([]);
    });
  });

  it('says busy while a run goes on and while one waits, since when, and when its end is expected; a held one is only named', async () => {
    await withStaging(async (environment) => {
      const variables = stagingVariables(environment);
      await fillCatalog({ catalogUrl: environment.catalog.url, media: 'audio', records: 500, seed: 5 });
      const up = startUp(environment);
      await up.says(/^up:/m);
      const refresh = (...words: string[]) =>
        outcomeOf(environment.spawn(['refresh', 'staging', ...words, '--json'], variables));
      expect((await refresh('image')).status).toBe(0);
      expect((await check(environment)).status).toBe(0);

      const gate = await closeGate(environment, 'image');
      const image = refresh('image', '--hold');
      await until('the run to go on', async () => (await readRuns(environment))[1]?.state === 'running');
      const audio = refresh('audio');
      await until('the other one to wait', async () => (await readRuns(environment))[2]?.state === 'waiting');

      const { status, answer } = await checkJson(environment);
      const runs = await readRuns(environment);
      expect(status).toBe(1);
      expect(answer.verdict).toBe('busy');
      const [found] = answer.environments;
      expect(found).toMatchObject({ verdict: 'busy', holders: [], held: [], orchestrator: true, notes: [] });
      expect(found?.busy).toMatchObject([
        { run: runs[1]?.id, definition: 'staging_image_data_refresh', state: 'running', estimatedFrom: 1 },
        { run: runs[2]?.id, definition: 'staging_audio_data_refresh', state: 'waiting', expectedEnd: null },
      ]);
      const { rows: times } = await environment.withState((session) =>
        session.query<{ started: Date; took: number }>(
          `select (select started_at from freshet.runs where id = $2) as started,
             (select extract(epoch from finished_at - started_at) * 1000 from freshet.runs where id = $1)::float8 as took`,
          [runs[0]?.id, runs[1]?.id],
        ),
      );
      const [time] = times;
      expect(new Date(found?.busy[0]?.since ?? '')).toEqual(time?.started);
      const expected = (time?.started.getTime() ?? 0) + (time?.took ?? 0);
      expect(new Date(found?.busy[0]?.expectedEnd ?? '').getTime()).toBe(Math.trunc(expected));
      const text = await check(environment);
      expect(text.status).toBe(1);
      expect(text.stdout).toMatch(
        new RegExp(
          `^staging: busy\n {2}staging_image_data_refresh is running \\(run ${runs[1]?.id}\\), since \\S+Z; expected end \\S+Z( \\(overdue\\))?, an estimate from the last 1 successful run\n` +
            ` {2}staging_audio_data_refresh is waiting \\(run ${runs[2]?.id}\\), added \\S+Z; no estimate of its end\n$`,
        ),
      );

      await gate.query('commit');
      await gate.end();
      expect([(await image).status, (await audio).status]).toEqual([0, 0]);
      const held = await checkJson(environment);
      expect(held.status).toBe(0);
      expect(held.answer.environments[0]).toMatchObject({
        verdict: 'idle',
        busy: [],
        held: [{ run: runs[1]?.id, definition: 'staging_image_data_refresh' }],
      });
      expect((await check(environment)).stdout).toContain('staging_image_data_refresh is held');
    }, 600);
  });

  it('says busy of a queued run that no orchestrator executes, and says that', async () => {
    await withStaging(async (environment) => {
      const variables = stagingVariables(environment);
      const refresh = environment.spawn(['refresh', 'staging', 'image'], variables);
      const ended = outcomeOf(refresh);
      await until('the run to be queued', async () => (await readRuns(environment))[0]?.state === 'queued');
      refresh.kill('SIGINT');
      await ended;
      const outcome = await check(environment);
      expect(outcome.status).toBe(1);
      expect(outcome.stdout).toMatch(/staging_image_data_refresh is queued \(run \S+\), added /);
      expect(outcome.stdout).toContain('no orchestrator is up: these runs go on when one is (`freshet up`)');
    });
  });

  it('says busy while a run of another state database holds the API database', async () => {
    await withStaging(async (environment) => {
      await withStaging(async (other) => {
        const variables = { FRESHET_STAGING_API_URL: environment.api.url };
        const gate = await closeGate(other, 'image');
        const up = startUp(other, variables);
        await up.says(/^up:/m);
        const refresh = other.spawn(['refresh', 'staging', 'image'], {
          ...stagingVariables(other),
          ...variables,
        });
        const ended = outcomeOf(refresh);
        await until('the run to go on', async () => (await readRuns(other))[0]?.state === 'running');
        const [run] = await readRuns(other);
        const { status, answer } = await checkJson(environment);
        expect(status).toBe(1);
        expect(answer.environments[0]).toMatchObject({
          verdict: 'busy',
          busy: [],
          holders: [{ runId: run?.id }],
        });
        expect((await check(environment)).stdout).toMatch(
          new RegExp(
            `run ${run?.id} \\(image, on \\S+\\) holds the API database since \\S+Z; this state database does not know it`,
          ),
        );
        // In its own state it is known: it counts once.
        const own = await checkJson(other, variables);
        expect(own.answer.environments[0]).toMatchObject({ busy: [{ run: run?.id }], holders: [] });
        await gate.end();
        await ended;
      }, 300);
    });
  });

  it.each([
    [
      'the state database does not answer',
      { FRESHET_STATE_URL: 'postgres://nobody@127.0.0.1:9/none' },
      /state database cannot be reached/,
    ],
    [
      'the API database does not answer',
      { FRESHET_STAGING_API_URL: 'postgres://nobody@127.0.0.1:9/none' },
      /API database cannot be reached/,
    ],
    ['a URL is missing', { FRESHET_STAGING_SEARCH_URL: '' }, /FRESHET_STAGING_SEARCH_URL is not set/],
  ])('cannot tell where %s', async (_what, variables, says) => {
    await withStaging(async (environment) => {
      const outcome = await check(environment, variables);
      expect(outcome.status).toBe(3);
      expect(outcome.stdout).toMatch(/^staging: cannot tell\n/);
      expect(outcome.stdout).toMatch(says);
      const { status, answer } = await checkJson(environment, variables, 'staging');
      expect([status, answer.verdict]).toEqual([3, 'cannot tell']);
    });
  });

  it('cannot tell where the state database is new: its URL may name another database', async () => {
    const environment = await createStaging(inject('parts'), { records: 0 });
    try {
      const outcome = await check(environment);
      expect([outcome.status, outcome.stdout]).toEqual([
        3,
        expect.stringContaining('has no tables of freshet'),
      ]);
      const { rows } = await environment.withState((session) =>
        session.query(`select nspname from pg_namespace where nspname in ('freshet', 'dbos')`),
      );
      expect(rows).toEqual([]);
    } finally {
      await environment.drop();
    }
  });

  it('cannot tell where a database hangs, or does not let it look; it neither hangs nor says idle', async () => {
    await withStaging(async (environment) => {
      const proxy = await startTcpProxy(environment.state.url);
      proxy.cut();
      const hung = await check(environment, { FRESHET_STATE_URL: proxy.url });
      expect(hung.status).toBe(3);
      await proxy.close();

      const role = `role_${environment.api.name}`;
      await environment.withApi((session) =>
        session.query(
          `create schema freshet; create table freshet.holders (run_id text); create role ${role} login password 'secret'`,
        ),
      );
      try {
        const url = new URL(environment.api.url);
        url.username = role;
        url.password = 'secret';
        const denied = await check(environment, { FRESHET_STAGING_API_URL: url.href });
        expect([denied.status, denied.stdout]).toEqual([3, expect.stringContaining('permission denied')]);
      } finally {
        await environment.withApi((session) => session.query(`drop role ${role}`));
      }
    });
  });

  it('refuses an environment that is none as bad usage', async () => {
    await withStaging(async (environment) => {
      const outcome = await check(environment, {}, 'stagging');
      expect([outcome.status, outcome.stderr]).toEqual([
        64,
        expect.stringContaining('Did you mean "staging"?'),
      ]);
      expect(outcome.stdout).toBe('');
    });
  });

  it('starts no embedded parts only to say idle; where some do not answer it cannot tell', async () => {
    await withStaging(async (environment) => {
      const none = {
        FRESHET_CATALOG_URL: '',
        FRESHET_STATE_URL: '',
        FRESHET_STAGING_API_URL: '',
        FRESHET_STAGING_SEARCH_URL: '',
      };
      const outcome = await check(environment, none, 'local');
      expect([outcome.status, outcome.stderr]).toEqual([0, '']);
      expect(outcome.stdout).toMatch(
        /^local: idle\n {2}the embedded state database does not run, so no run of it goes on;/,
      );
      const folder = join(environment.folder, '.freshet');
      await expect(access(folder)).rejects.toThrow('ENOENT');

      // A process that has the folder and lives, as while its parts start.
      await mkdir(folder);
      const owner = JSON.stringify(await identifyProcess(process.pid));
      await environment.writeFile('.freshet/owner.json', owner);
      const starting = await check(environment, none, 'local');
      expect([starting.status, starting.stdout]).toEqual([
        3,
        expect.stringMatching(new RegExp(`process ${process.pid}\\) do not answer`)),
      ]);
    });
  });
});
