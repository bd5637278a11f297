import { hostname } from 'node:os';
import { describe, expect, inject, it } from 'vitest';
import { outcomeOf, type LocalEnvironment } from '../../setup/localEnvironment.js';
import { startTcpProxy, type TcpProxy } from '../../setup/tcpProxy.js';
import {
  createStaging,
  expectRefreshed,
  isAlive,
  readRuns,
  stagingVariables,
  startUp,
  until,
  type Up,
} from './staging.js';

/** The bulk request with which a worker sends its documents. */
const isBulk = (sent: Buffer): boolean => sent.includes('/_bulk');

/** One orchestrator whose way to the search cluster can be cut, and a standby. A refresh stops in its reindex, documents on their way. */
interface Pair {
  readonly environment: LocalEnvironment;
  readonly first: Up;
  readonly standby: Up;
  /** Between the first orchestrator (with its workers) and the search cluster. */
  readonly search: TcpProxy;
  /** Between the first orchestrator and the state database. */
  readonly state: TcpProxy;
  /** How the command ends that follows the run. */
  readonly followed: ReturnType<typeof outcomeOf>;
  readonly runId: string;
  /** Of the first orchestrator. */
  readonly workerPid: number;
}

async function withPair(
  work: (pair: Pair) => Promise<void>,
  standbyVariables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const environment = await createStaging(inject('parts'));
  const search = await startTcpProxy(environment.searchUrl, isBulk);
  const state = await startTcpProxy(environment.state.url);
  try {
    const first = startUp(environment, {
      FRESHET_STAGING_SEARCH_URL: search.url,
      // A name in the URL must not hide whose sessions are whose.
      FRESHET_STATE_URL: `${state.url}?application_name=theirs`,
    });
    await first.says(/^up:/m);
    const standby = startUp(environment, standbyVariables);
    await standby.says(
      new RegExp(`^standby: freshet orchestrator ${first.pid} on ${hostname()} is the orchestrator`, 'm'),
    );
    const refresh = environment.spawn(
      ['refresh', 'staging', 'image', '--json'],
      stagingVariables(environment),
    );
    const followed = outcomeOf(refresh);
    await until('documents on their way', () => search.isCut);
    const [run] = await readRuns(environment);
    expect(run?.state).toBe('running');
    const runId = run?.id ?? '';
    const [worker] = await readWorkers(environment, runId);
    await work({ environment, first, standby, search, state, followed, runId, workerPid: worker?.pid ?? 0 });
  } finally {
    await environment.drop();
    await search.close();
    await state.close();
  }
}

async function readWorkers(
  environment: LocalEnvironment,
  runId: string,
): Promise<{ id: string; pid: number; requestedAt: Date }[]> {
  const { rows } = await environment.withState((session) =>
    session.query<{ id: string; pid: number; requestedAt: Date }>(
      `select id, pid, requested_at as "requestedAt" from freshet.workers where run_id = $1 order by requested_at`,
      [runId],
    ),
  );
  return rows;
}

/** The run's only worker of the standby was asked for so long after `moment`. */
async function resumedAfterMs({ environment, runId }: Pair, moment: number): Promise<number> {
  const workers = await readWorkers(environment, runId);
  expect(workers.length).toBe(2);
  return (workers[1]?.requestedAt.getTime() ?? Infinity) - moment;
}

async function expectEndedRight({ environment, followed, runId }: Pair): Promise<void> {
  const { status, stdout, stderr } = await followed;
  expect(stderr).not.toContain('error');
  expect(status).toBe(0);
  expect((JSON.parse(stdout) as { run: { id: string; state: string } }).run).toMatchObject({
    id: runId,
    state: 'succeeded',
  });
  await expectRefreshed(environment);
}

async function readTakeOvers(environment: LocalEnvironment): Promise<string[]> {
  const { rows } = await environment.withState((session) =>
    session.query<{ message: string }>(
      `select message from freshet.events where kind = 'orchestrator.passed-on' order by id`,
    ),
  );
  return rows.map(({ message }) => message);
}

describe.concurrent('a standby', { timeout: 600_000 }, () => {
  it('resumes a refresh within 10 s of the death of the orchestrator, and it ends right', async () => {
    await withPair(async (pair) => {
      const { first, standby, environment, workerPid } = pair;
      const killedAt = Date.now();
      first.child.kill('SIGKILL');
      await standby.says(/^up:/m, 10_000);
      await expectEndedRight(pair);
      expect(await resumedAfterMs(pair, killedAt)).toBeLessThan(10_000);
      await until('the dead one’s worker to end', () => !isAlive(workerPid));
      expect(await readTakeOvers(environment)).toEqual([
        expect.stringMatching(
          new RegExp(`process ${first.pid} on .* ended; process ${standby.pid} on .* took over`),
        ),
      ]);
    });
  });

  it('takes over at once from one that is stopped, which ends with status 0', async () => {
    await withPair(async (pair) => {
      const { first, standby } = pair;
      const stoppedAt = Date.now();
      first.child.kill('SIGTERM');
      const { status, stderr } = await first.ended;
      expect(status).toBe(0);
      expect(stderr).toContain('stopped: nothing that is live was changed by that.');
      await standby.says(/^up:/m, 10_000);
      await expectEndedRight(pair);
      expect(await resumedAfterMs(pair, stoppedAt)).toBeLessThan(10_000);
    });
  });

  it('takes over from a frozen one within 60 s; thawed, that one does no harm and ends with status 1', async () => {
    await withPair(async (pair) => {
      const { first, standby, search, environment, workerPid, runId } = pair;
      const frozenAt = Date.now();
      first.child.kill('SIGSTOP');
      await standby.says(/^up:/m, 60_000);
      await expectEndedRight(pair);
      expect(await resumedAfterMs(pair, frozenAt)).toBeLessThan(60_000);
      const documents = await environment.documents(environment.aliases.image);

      // What the frozen one's worker had sent arrives only now, and is refused: the run's own alias is gone.
      search.mend();
      await until('the answer to the late documents', () => search.answered.includes('\r\n\r\n'));
      expect(search.answered).toMatch(/require_alias|index_not_found|no such index/);
      expect(search.answered).not.toContain('"result":"created"');
      expect(search.answered).not.toContain('"result":"updated"');

      first.child.kill('SIGCONT');
      const { status, stderr } = await first.ended;
      expect(status).toBe(1);
      expect(stderr).toContain('This process is not the orchestrator any more');
      await until('its worker to end', () => !isAlive(workerPid));

      expect(await environment.documents(environment.aliases.image)).toEqual(documents);
      expect(await readRuns(environment)).toMatchObject([{ id: runId, state: 'succeeded' }]);
      expect(await readWorkers(environment, runId)).toHaveLength(2);
      await expectRefreshed(environment);
      expect(standby.child.exitCode).toBeNull();
    });
  });

  it('takes over from a lost machine within 60 s, and the process there has ended itself before', async () => {
    await withPair(async (pair) => {
      const { first, standby, state, environment, workerPid } = pair;
      const lostAt = Date.now();
      state.cut();
      const { status, stderr } = await first.ended;
      expect(status).toBe(1);
      expect(stderr).toContain('This process is not the orchestrator any more');
      expect(standby.said()).not.toMatch(/^up:/m);
      await standby.says(/^up:/m, 60_000);
      await expectEndedRight(pair);
      expect(await resumedAfterMs(pair, lostAt)).toBeLessThan(60_000);
      await until('its worker to end', () => !isAlive(workerPid));
      expect(await readTakeOvers(environment)).toEqual([
        expect.stringMatching(
          new RegExp(`process ${first.pid} on .* gave no sign for 30 s; process ${standby.pid} on`),
        ),
      ]);
    });
  });

  it('writes the same documents as a frozen one’s workers that write late, before the run’s own alias is gone', async () => {
    const held = await startTcpProxy(inject('parts').searchUrl, isBulk);
    try {
      await withPair(
        async (pair) => {
          const { first, search, environment } = pair;
          first.child.kill('SIGSTOP');
          await until('the standby’s documents on their way', () => held.isCut, 90_000);
          search.mend();
          await until('the answer to the late documents', () => search.answered.includes('"items"'));
          expect(search.answered).toContain('"errors":false');
          held.mend();
          await expectEndedRight(pair);
          first.child.kill('SIGCONT');
          expect((await first.ended).status).toBe(1);
          await expectRefreshed(environment);
        },
        { FRESHET_STAGING_SEARCH_URL: held.url },
      );
    } finally {
      await held.close();
    }
  });

  it('outlives a state database that restarts', async () => {
    const environment = await createStaging(inject('parts'), { records: 0 });
    const state = await startTcpProxy(environment.state.url);
    try {
      const first = startUp(environment);
      await first.says(/^up:/m);
      const standby = startUp(environment, { FRESHET_STATE_URL: state.url });
      await standby.says(/^standby: freshet orchestrator/m);
      await state.refuse();
      await standby.says(
        /^standby: The state database cannot be reached: .* It is tried again until it answers\./m,
      );
      await state.accept();
      first.child.kill('SIGKILL');
      await standby.says(/^up:/m, 30_000);
    } finally {
      await environment.drop();
      await state.close();
    }
  });
});

describe.concurrent('an orchestrator', { timeout: 600_000 }, () => {
  it('is exactly one of two that start at the same moment, on a new state database too', async () => {
    const environment = await createStaging(inject('parts'), { records: 0 });
    try {
      const both = [startUp(environment), startUp(environment)];
      await Promise.all(both.map((one) => one.says(/^(up|standby):/m)));
      expect(both.map((one) => /^(up|standby):/m.exec(one.said())?.[1]).sort()).toEqual(['standby', 'up']);
      const [up, standby] = both.sort((one) => (/^up:/m.test(one.said()) ? -1 : 1));
      up?.child.kill('SIGTERM');
      await standby?.says(/^up:/m, 10_000);
      expect((await up?.ended)?.status).toBe(0);
    } finally {
      await environment.drop();
    }
  });

  it('goes on after it was frozen, where nobody has taken over', async () => {
    const environment = await createStaging(inject('parts'));
    try {
      const up = startUp(environment);
      await up.says(/^up:/m);
      up.child.kill('SIGSTOP');
      const silentFor = async (): Promise<number> => {
        const { rows } = await environment.withState((session) =>
          session.query<{ seconds: number }>(
            'select extract(epoch from clock_timestamp() - heartbeat_at)::float8 as seconds from freshet.orchestrator',
          ),
        );
        return rows[0]?.seconds ?? 0;
      };
      await until('it to be silent for long', async () => (await silentFor()) > 32, 60_000);
      up.child.kill('SIGCONT');
      await until('a sign of life', async () => (await silentFor()) < 5, 30_000);
      const refresh = await environment.run(
        ['refresh', 'staging', 'image', '--json'],
        stagingVariables(environment),
      );
      expect(up.said()).not.toContain('not the orchestrator any more');
      expect(refresh.stderr).not.toContain('error');
      expect(refresh.status).toBe(0);
      await expectRefreshed(environment);
      expect(up.child.exitCode).toBeNull();
    } finally {
      await environment.drop();
    }
  });

  it('ends when its connection to the state database is ended', async () => {
    const environment = await createStaging(inject('parts'), { records: 0 });
    try {
      const up = startUp(environment);
      await up.says(/^up:/m);
      await environment.withState((session) =>
        session.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name = 'freshet orchestrator ' || $1`,
          [String(up.pid)],
        ),
      );
      const { status, stderr } = await up.ended;
      expect(status).toBe(1);
      expect(stderr).toContain('This process is not the orchestrator any more');
    } finally {
      await environment.drop();
    }
  });
});
