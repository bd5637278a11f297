import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { heartbeatStaleMs } from '../../../src/limits.js';
import { withSession } from '../../../src/postgres/session.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';

interface Plan {
  readonly released: boolean;
  readonly holders: readonly { readonly runId: string }[];
  readonly runs: readonly { readonly id: string; readonly wasPromoted: boolean }[];
}

/** The state database is dropped, and a new and empty one takes its place. */
describe('a state that is lost altogether', { timeout: 300_000 }, () => {
  let local: LocalEnvironment;
  let fresh: TestDatabase;

  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    fresh = await createDatabase(inject('parts').apiUrl);
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 300, seed: 8 });
    for (const round of [1, 2])
      expect((await local.run(['refresh', 'local', 'image'])).status, `${round}`).toBe(0);
  });
  afterEach(async () => {
    await local.drop();
    await fresh.drop();
  });

  /** Commands that know the new state only. */
  const env = (): Record<string, string> => ({ FRESHET_STATE_URL: fresh.url });

  const status = async () => {
    const { stdout } = await local.run(['status', '--json'], env());
    return JSON.parse(stdout) as {
      generations: { live: { runId: string; mainIndex: string }; previous: { runId: string } | null }[];
      differences: { subject: string; remedy: string }[];
    };
  };

  const promotions = async (): Promise<string[]> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ id: string }>('select run_id as id from freshet.swaps order by swapped_at desc'),
    );
    return rows.map(({ id }) => id);
  };

  const tables = async (): Promise<string[]> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ name: string }>(
        `select relname as name from pg_class where relkind = 'r' and (relname like 'temp\\_import%' or relname like 'freshet\\_previous%') order by 1`,
      ),
    );
    return rows.map(({ name }) => name);
  };

  /** Tables, indexes and documents are those of one refresh and of the one before, and nothing else is there. */
  const expectClean = async (): Promise<void> => {
    expect((await tables()).length).toBe(1);
    expect(Object.keys(await local.indexes()).length).toBe(4);
    const { rows } = await local.withApi((session) =>
      session.query<{ held: string; eligible: string }>(
        `select (select count(*) from freshet.holders) as held, (select count(*) from public.image where not removed_from_source) as eligible`,
      ),
    );
    expect(rows[0]?.held).toBe('0');
    expect((await local.documents(local.aliases.image)).size).toBe(Number(rows[0]?.eligible));
  };

  it('is taken over from the marks: live and previous are known, and the next refresh keeps what was live', async () => {
    await local.state.drop();
    const [live, previous] = await promotions();
    const before = await status();
    expect(before.differences.map(({ subject }) => subject)).toEqual(['generation of image']);
    const outcome = await local.run(['refresh', 'local', 'image'], env());
    expect(outcome.stderr).toBe('');
    expect(outcome.status).toBe(0);
    const { generations, differences } = await status();
    expect(differences).toEqual([]);
    expect(generations[0]?.previous?.runId).toBe(live);
    expect(generations[0]?.live.runId).not.toBe(live);
    const { rows } = await local.withApi((session) =>
      session.query('select 1 from freshet.parts where run_id = $1', [previous]),
    );
    expect(rows).toEqual([]);
    await expectClean();
  });

  it('as far as a backup is old: it learns of the promotions since, and does not take what was live then for live', async () => {
    const backup = await createDatabase(inject('parts').apiUrl, { template: local.state.name });
    const old = { FRESHET_STATE_URL: backup.url };
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const [live, previous] = await promotions();
    const outcome = await local.run(['refresh', 'local', 'image'], {
      ...old,
      FRESHET_FAILPOINT: 'wait.waiting',
    });
    expect(outcome.signal).toBe('SIGKILL');
    const { stdout, status: ended } = await local.run(['status', '--json'], old);
    expect(ended).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      generations: [{ live: { runId: live }, previous: { runId: previous } }],
      differences: [],
    });
    expect((await local.run(['refresh', 'local', 'image'], old)).status).toBe(0);
    await expectClean();
    await backup.drop();
  });

  it('in the middle of a refresh keeps its target held until `freshet release`; then the next one ends right', async () => {
    const killed = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'filtered-index.filled',
    });
    expect(killed.signal).toBe('SIGKILL');
    await local.state.drop();
    const [live] = await promotions();
    const waiting = outcomeOf(local.spawn(['refresh', 'local', 'image', '--json'], env()));
    await vi.waitFor(
      async () => expect(await waitingMessages()).toEqual([expect.stringContaining('freshet release local')]),
      {
        timeout: 60_000,
        interval: 200,
      },
    );
    const kept = await local.run(['clean', 'local', '--json'], env());
    expect(kept.stdout).toContain('freshet release local');
    expect((await tables()).includes('temp_import_image')).toBe(true);
    // Half a minute long nobody can know that the other process is dead.
    await vi.waitFor(
      async () => {
        const unasked = await local.run(['release', 'local'], env());
        expect(unasked.stderr).toContain('--yes');
        expect(unasked.status).toBe(64);
        expect(unasked.stdout).toContain('The hold of run');
      },
      { timeout: 3 * heartbeatStaleMs, interval: 1_000 },
    );
    const { holders, runs } = await release();
    expect(holders.length).toBe(1);
    expect(runs.find(({ id }) => id === holders[0]?.runId)?.wasPromoted).toBe(false);
    const ended = await waiting;
    expect(ended.stderr).toContain('if that state database is gone for good: freshet release local');
    expect(ended.status).toBe(0);
    const { generations, differences } = await status();
    expect(differences).toEqual([]);
    expect(generations[0]?.previous?.runId).toBe(live);
    await expectClean();
  });

  it('I2: between the swap and the aliases is released and put together at the next start', async () => {
    const killed = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'promote.tablesSwapped',
    });
    expect(killed.signal).toBe('SIGKILL');
    await local.state.drop();
    const [live, previous] = await promotions();
    expect((await status()).differences.map(({ subject }) => subject)).toEqual(['API database']);
    await release();
    const other = await local.run(['refresh', 'local', 'image'], {
      ...env(),
      FRESHET_FAILPOINT: 'wait.waiting',
    });
    expect(other.signal).toBe('SIGKILL');
    const { generations, differences } = await status();
    expect(differences).toEqual([]);
    expect(generations[0]).toMatchObject({ live: { runId: live }, previous: { runId: previous } });
    expect((await local.run(['refresh', 'local', 'image'], env())).status).toBe(0);
    await expectClean();
  });

  it('is not released while a run of it is alive', async () => {
    const running = local.spawn(['refresh', 'local', 'image', '--json']);
    const ended = outcomeOf(running);
    await vi.waitFor(
      async () => {
        const { rows } = await local.withApi((session) => session.query('select 1 from freshet.holders'));
        expect(rows.length).toBe(1);
      },
      { timeout: 60_000, interval: 50 },
    );
    running.kill('SIGSTOP');
    const { stderr, status: refused } = await local.run(['release', 'local', '--yes'], env());
    expect(stderr).toContain('RELEASE_REFUSED');
    expect(stderr).toMatch(/last sign of life is \d+ s old/);
    expect(refused).toBe(2);
    running.kill('SIGCONT');
    expect((await ended).status).toBe(0);
    await expectClean();
  });

  /** As soon as the last sign of life of the other process is old. */
  const release = async (): Promise<Plan> =>
    vi.waitFor(
      async () => {
        const {
          stdout,
          stderr,
          status: ended,
        } = await local.run(['release', 'local', '--yes', '--json'], env());
        expect(stderr).toBe('');
        expect(ended).toBe(0);
        const plan = JSON.parse(stdout) as Plan;
        expect(plan.released).toBe(true);
        return plan;
      },
      { timeout: 3 * heartbeatStaleMs, interval: 1_000 },
    );

  const waitingMessages = async (): Promise<string[]> => {
    return withSession(fresh.url, { applicationName: 'test', called: 'state database' }, async (session) => {
      const { rows } = await session.query<{ message: string }>(
        `select message from freshet.events where kind = 'run.waiting'`,
      );
      return rows.map(({ message }) => message);
    });
  };
});
