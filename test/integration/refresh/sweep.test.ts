import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { identifyProcess } from '../../../src/embedded/processes.js';
import { openSession, type Session } from '../../../src/postgres/session.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { beginAttempt, lockSweep } from '../../../src/state/runs.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';

interface Leftover {
  readonly kind: string;
  readonly name: string;
  readonly runId: string;
  readonly kept: string | null;
}
interface Cleaned {
  readonly removed: readonly Leftover[];
  readonly kept: readonly Leftover[];
  readonly failures: readonly { part: string; code: string }[];
}

describe('what runs leave', () => {
  let local: LocalEnvironment;
  const processes: ChildProcess[] = [];

  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'), { overrides: strictGate });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 400, seed: 3 });
    await refresh('image');
    // A deletion that every further run takes into account.
    await deleteRecord('public.image');
    await refresh('image');
  });
  beforeEach(async () => {
    await local.writeConfig(strictGate);
    const [catalog, live] = await Promise.all([local.withCatalog(countImages), local.withApi(countImages)]);
    if (live < catalog / 2) await refresh('image');
  });
  afterEach(() => {
    for (const child of processes.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => local.drop());

  /** Refuses a total that shrinks by more than a tenth. */
  const strictGate = { environments: { local: { gate: { totalLossShareMax: 0.1 } } } };

  const countImages = async (session: Session): Promise<number> => {
    const { rows } = await session.query<{ rows: string }>('select count(*) as rows from public.image');
    return Number(rows[0]?.rows);
  };

  const refresh = async (media: string): Promise<void> => {
    const outcome = await local.run(['refresh', 'local', media]);
    expect(outcome.stderr).toBe('');
    expect(outcome.status).toBe(0);
  };

  /** As the API does: the row goes, the identifier is listed. */
  const deleteRecord = async (table: string): Promise<void> => {
    await local.withApi((session) =>
      session.query(
        `insert into public.api_deletedimage (identifier, created_on, updated_on) select identifier, now(), now() from ${table} order by id desc limit 1;
         delete from public.image where identifier in (select identifier from public.api_deletedimage)`,
      ),
    );
  };

  const newestRun = async (): Promise<string> => {
    const { rows } = await local.withState((session) =>
      session.query<{ id: string }>('select id from freshet.runs order by created_at desc limit 1'),
    );
    return rows[0]?.id ?? '';
  };

  /** A run that the gate refuses: its temp table and its two indexes are there, and it may be retried. */
  const refuse = async (): Promise<string> => {
    await local.withCatalog((session) =>
      session.query(
        'create table public.aside as table public.image; delete from public.image where provider <> (select min(provider) from public.image)',
      ),
    );
    const outcome = await local.run(['refresh', 'local', 'image']);
    await local.withCatalog((session) =>
      session.query(
        'delete from public.image; insert into public.image table public.aside; drop table public.aside',
      ),
    );
    expect(outcome.stderr).toContain('GATE_REFUSED');
    return newestRun();
  };

  const tables = async (): Promise<string[]> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ name: string }>(
        `select relname as name from pg_class where relkind = 'r' and (relname like 'temp\\_import%' or relname like 'freshet\\_previous%') order by 1`,
      ),
    );
    return rows.map(({ name }) => name);
  };

  const appliedOf = async (runId: string): Promise<boolean> => {
    const { rows } = await local.withApi((session) =>
      session.query('select 1 from freshet.applied where run_id = $1 limit 1', [runId]),
    );
    return rows.length > 0;
  };

  const clean = async (...args: string[]): Promise<Cleaned> => {
    const outcome = await local.run(['clean', 'local', '--json', ...args]);
    expect(outcome.stderr).toBe('');
    const { environments } = JSON.parse(outcome.stdout) as { environments: Record<string, Cleaned> };
    return environments['local'] as Cleaned;
  };

  const served = async (): Promise<unknown> => {
    const { rows } = await local.withApi((session) =>
      session.query('select id, url from public.image order by id'),
    );
    return { rows, documents: await local.documents(local.aliases.image) };
  };

  const kinds = (leftovers: readonly Leftover[]): string[] => leftovers.map(({ kind }) => kind).sort();

  it('of a run that the gate refused, is kept for its retry, which copies nothing again', async () => {
    const runId = await refuse();
    const dry = await clean('--dry-run');
    expect(kinds(dry.removed)).toEqual(['index', 'index', 'rows', 'table']);
    const { rows: before } = await local.withState((session) =>
      session.query(`select finished_at from freshet.phases where run_id = $1 and name = 'copy'`, [runId]),
    );
    // Every command of `local` is an orchestrator, which sweeps at its start.
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 60, seed: 4 });
    await refresh('audio');
    expect(await appliedOf(runId)).toBe(true);
    await deleteRecord('public.temp_import_image');
    await local.writeConfig({
      environments: { local: { gate: { totalLossShareMax: null, sourceLossShareMax: null } } },
    });
    const retried = await local.run(['retry', runId]);
    await local.writeConfig(strictGate);
    expect(retried.stderr).toBe('');
    expect(retried.status).toBe(0);
    const { rows: after } = await local.withState((session) =>
      session.query(`select finished_at from freshet.phases where run_id = $1 and name = 'copy'`, [runId]),
    );
    expect(after).toEqual(before);
    const { rows: left } = await local.withApi((session) =>
      session.query('select 1 from public.image join public.api_deletedimage using (identifier)'),
    );
    expect(left).toEqual([]);
    expect(await tables()).not.toContain('temp_import_image');
  });

  it('is removed by the orchestrator after keepFailedHours: never what is live, previous or not ours', async () => {
    await local.withApi((session) => session.query('create table public.temp_import_other (id int)'));
    await local.search(`${local.aliases.image}-foreign`, { method: 'PUT', body: {} });
    const before = await served();
    const kept = { tables: await tables(), indexes: await local.indexes() };
    const runId = await refuse();
    expect((await tables()).length).toBe(kept.tables.length + 1);
    await local.withState((session) =>
      session.query(`update freshet.runs set finished_at = now() - interval '25 hours' where id = $1`, [
        runId,
      ]),
    );
    const up = local.spawn(['up']);
    up.stderr?.resume();
    await vi.waitFor(async () => expect(await tables()).toEqual(kept.tables), {
      timeout: 60_000,
      interval: 200,
    });
    await vi.waitFor(async () => expect(await appliedOf(runId)).toBe(false), {
      timeout: 60_000,
      interval: 200,
    });
    await vi.waitFor(
      async () => {
        const { rows } = await local.withState((session) =>
          session.query<{ message: string }>(
            `select message from freshet.events where kind = 'sweep.removed' and run_id = $1`,
            [runId],
          ),
        );
        expect(rows[0]?.message).toContain('table public.temp_import_image');
      },
      { timeout: 60_000, interval: 200 },
    );
    up.kill('SIGTERM');
    await once(up, 'exit');
    expect(await local.indexes()).toEqual(kept.indexes);
    expect(await served()).toEqual(before);
    const { rows: generations } = await local.withState((session) =>
      session.query<{ state: string }>('select state from freshet.generations where id = $1', [runId]),
    );
    expect(generations).toEqual([{ state: 'gone' }]);
    await local.withApi((session) => session.query('drop table public.temp_import_other'));
  });

  it('is removed at once by `freshet clean`, which says what it keeps and why', async () => {
    const before = { tables: await tables(), indexes: await local.indexes() };
    const refused = await refuse();
    expect((await clean()).removed.map(({ runId }) => runId)).toEqual([refused, refused, refused, refused]);
    expect({ tables: await tables(), indexes: await local.indexes() }).toEqual(before);
    const held = await local.run(['refresh', 'local', 'image', '--hold']);
    expect(held.status).toBe(0);
    const heldId = await newestRun();
    const { removed, kept } = await clean();
    expect(removed).toEqual([]);
    expect(kinds(kept)).toEqual(['index', 'index', 'table']);
    for (const { kept: reason } of kept)
      expect(reason).toBe(`run ${heldId} is held: freshet promote ${heldId}, or freshet cancel ${heldId}`);
    const printed = await local.run(['clean', 'local']);
    expect(printed.stdout).toContain(`kept  table public.temp_import_image: run ${heldId} is held`);
    expect((await local.run(['promote', heldId])).status).toBe(0);
    expect(await clean()).toEqual({ removed: [], kept: [], failures: [] });
  });

  it('at work is ended: reindex tasks, sessions, and the very process that was a worker', async () => {
    const before = { tables: await tables(), indexes: Object.keys(await local.indexes()).sort() };
    const killed = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'filtered-index.filled',
    });
    expect(killed.signal).toBe('SIGKILL');
    const runId = await newestRun();
    await giveUp();
    const [alias, index] = await findWriteAlias();
    await local.search('_reindex?wait_for_completion=false&requests_per_second=1&require_alias=true', {
      method: 'POST',
      body: { source: { index: local.aliases.image, size: 1 }, dest: { index: alias } },
    });
    const session = await local.openApi();
    await session.query(`set application_name = 'freshet indexes ${runId} 0badc0de'`);
    const ended = new Promise((resolve) => session.once('end', resolve));
    const [own, other] = [start(), start()];
    const started = await identifyProcess(own.pid ?? 0);
    await local.withState((state) =>
      state.query(
        `insert into freshet.workers (run_id, id, fleet, state, pid, host, process_started)
         values ($1, '8.1', 'local', 'ready', $2, $4, $5), ($1, '8.2', 'local', 'ready', $3, $4, '1'), ($1, '8.3', 'local', 'ready', 1, 'elsewhere', '1')`,
        [runId, own.pid, other.pid, hostname(), started.startedAt],
      ),
    );
    const gone = once(own, 'exit');
    const { removed, kept } = await clean();
    await Promise.all([gone, ended]);
    expect(kinds(removed)).toEqual([
      'holder',
      'index',
      'index',
      'rows',
      'session',
      'table',
      'task',
      'worker',
      'worker',
    ]);
    expect(kept).toEqual([
      expect.objectContaining({
        kind: 'worker',
        kept: expect.stringContaining('ran on elsewhere') as string,
      }),
    ]);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    expect({ tables: await tables(), indexes: Object.keys(await local.indexes()).sort() }).toEqual(before);
    // A task that goes on after its alias is gone makes an index of that name.
    expect(await local.search(alias)).toMatchObject({ status: 404 });
    expect(await local.search(index)).toMatchObject({ status: 404 });
    await local.withState((state) => state.query(`delete from freshet.workers where host = 'elsewhere'`));
  });

  it('in one server is removed although another one is down', async () => {
    const before = await tables();
    const indexes = await local.indexes();
    await refuse();
    const outcome = await local.run(['clean', 'local', '--json'], {
      FRESHET_SEARCH_URL: 'http://127.0.0.1:9',
    });
    expect(outcome.status).toBe(1);
    const { environments } = JSON.parse(outcome.stdout) as { environments: Record<string, Cleaned> };
    expect(environments['local']?.failures).toEqual([
      expect.objectContaining({ part: 'search cluster', code: 'SEARCH_UNREACHABLE' }),
    ]);
    expect(await tables()).toEqual(before);
    await clean();
    expect(await local.indexes()).toEqual(indexes);
  });

  it('is not swept while another attempt of its run begins', async () => {
    const runId = await refuse();
    const state = await openState();
    await state.query('begin');
    await lockSweep(state, 'local');
    const cleaning = outcomeOf(local.spawn(['clean', 'local', '--json']));
    await vi.waitFor(
      async () => {
        const { rows } = await local.withState((session) =>
          session.query(
            `select 1 from pg_stat_activity where application_name like 'freshet sweep %' and wait_event_type = 'Lock' and datname = current_database()`,
          ),
        );
        expect(rows.length).toBe(1);
      },
      { timeout: 30_000, interval: 100 },
    );
    expect(await beginAttempt(state, { id: runId, environment: 'local' }, ['refused'])).toBe(2);
    await state.query('commit');
    const { environments } = JSON.parse((await cleaning).stdout) as { environments: Record<string, Cleaned> };
    expect(environments['local']?.removed).toEqual([]);
    expect(environments['local']?.kept.map(({ kept }) => kept)).toContain(
      `run ${runId} is not over (queued)`,
    );
    expect(await tables()).toContain('temp_import_image');
    await state.query(`update freshet.runs set state = 'refused', finished_at = now() where id = $1`, [
      runId,
    ]);
    await state.end();
    await clean();
  });

  it('is removed at the end of its run where no time is to be kept for a retry', async () => {
    const before = { tables: await tables(), indexes: await local.indexes() };
    await local.writeConfig({
      environments: { local: { keepFailedHours: 0, gate: { totalLossShareMax: 0.1 } } },
    });
    await refuse();
    await local.writeConfig(strictGate);
    expect({ tables: await tables(), indexes: await local.indexes() }).toEqual(before);
  });

  /** What a run leaves that the engine gave up. */
  const giveUp = async (): Promise<void> => {
    await local.withState((session) =>
      session.query(
        `with ended as (update freshet.runs set state = 'failed', finished_at = now() where finished_at is null returning id),
           freed as (delete from freshet.leases)
         update dbos.workflow_status set status = 'ERROR' where workflow_uuid in (select id from ended)`,
      ),
    );
  };

  const findWriteAlias = async (): Promise<[string, string]> => {
    for (const [index, aliases] of Object.entries(await local.indexes())) {
      const alias = aliases.find((name) => name.startsWith('freshet-write-'));
      if (alias !== undefined) return [alias, index];
    }
    throw new Error('no index has an alias of its writers');
  };

  const start = (): ChildProcess => {
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    processes.push(child);
    return child;
  };

  const openState = (): Promise<Session> =>
    openSession(local.state.url, { applicationName: 'test', called: 'state database' });
});
