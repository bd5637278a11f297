import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../../setup/localEnvironment.js';

interface Difference {
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;
}
interface Status {
  readonly orchestrator: { readonly pid: number } | null;
  readonly held: readonly { readonly id: string }[];
  readonly paused: readonly { readonly definition: string }[];
  readonly generations: readonly {
    readonly media: string;
    readonly live: { readonly runId: string; readonly mainIndex: string };
    readonly previous: { readonly mainIndex: string } | null;
  }[];
  readonly differences: readonly Difference[];
  readonly cannotTell: readonly { readonly media: string; readonly reason: string }[];
}

/** What is live is changed by hand, as an operator might in the night; `freshet status` and the orchestrator's events tell. */
describe('what is live', () => {
  let local: LocalEnvironment;
  let live: string;
  let previous: string;

  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 300, seed: 6 });
    for (const round of [1, 2])
      expect((await local.run(['refresh', 'local', 'image'])).status, `${round}`).toBe(0);
  });
  beforeEach(async () => {
    const { status, body } = await readStatus();
    expect(body.differences).toEqual([]);
    expect(status).toBe(0);
    const generation = body.generations[0];
    live = generation?.live.mainIndex ?? '';
    previous = generation?.previous?.mainIndex ?? '';
  });
  afterAll(() => local.drop());

  const readStatus = async (
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number | null; body: Status }> => {
    const outcome = await local.run(['status', '--json'], env);
    expect(outcome.stderr).toBe('');
    return { status: outcome.status, body: JSON.parse(outcome.stdout) as Status };
  };

  const moveAlias = async (from: string, to: string): Promise<void> => {
    const alias = local.aliases.image;
    const actions = [{ remove: { index: from, alias } }, { add: { index: to, alias } }];
    expect(await local.search('_aliases', { method: 'POST', body: { actions } })).toMatchObject({
      acknowledged: true,
    });
  };

  const events = async (kind: string): Promise<string[]> => {
    const { rows } = await local.withState((session) =>
      session.query<{ message: string }>('select message from freshet.events where kind = $1 order by id', [
        kind,
      ]),
    );
    return rows.map(({ message }) => message);
  };

  /** An orchestrator looks when it starts. */
  const startOrchestrator = (): ChildProcess => {
    const up = local.spawn(['up']);
    up.stderr?.resume();
    return up;
  };

  const stop = async (up: ChildProcess): Promise<void> => {
    up.kill('SIGTERM');
    await once(up, 'exit');
  };

  it('under an alias that somebody moved: is told once with the way back, and its end is told', async () => {
    await moveAlias(live, previous);
    const { status, body } = await readStatus();
    expect(status).toBe(1);
    expect(body.differences).toEqual([
      expect.objectContaining({ subject: `alias ${local.aliases.image}`, expected: live, found: previous }),
    ]);
    const printed = await local.run(['status']);
    expect(printed.status).toBe(1);
    expect(printed.stdout).toContain(
      `drift local: alias ${local.aliases.image} is not as it should be: expected ${live}, found ${previous}`,
    );
    const found = (await events('drift.found')).length;
    for (let start = 1; start <= 2; start += 1) {
      const up = startOrchestrator();
      await vi.waitFor(async () => expect((await events('drift.found')).length).toBe(found + 1), {
        timeout: 60_000,
        interval: 200,
      });
      await stop(up);
    }
    // The remedy is what puts it right.
    const actions = /POST \/_aliases (\{.*?\}\]\})/.exec(body.differences[0]?.remedy ?? '')?.[1];
    await local.search('_aliases', { method: 'POST', body: JSON.parse(actions ?? '{}') });
    expect((await readStatus()).status).toBe(0);
    const up = startOrchestrator();
    await vi.waitFor(async () => expect((await events('drift.ended')).length).toBe(1), {
      timeout: 60_000,
      interval: 200,
    });
    expect((await readStatus()).body.orchestrator?.pid).toBe(up.pid);
    await stop(up);
    expect((await events('drift.found')).length).toBe(found + 1);
  });

  it('I10: with settings that are not the serving ones: is told by the setting', async () => {
    const settings = { index: { refresh_interval: '-1', number_of_replicas: 1 } };
    await local.search(`${live}/_settings`, { method: 'PUT', body: settings });
    const { status, body } = await readStatus();
    expect(status).toBe(1);
    expect(body.differences.map(({ subject, expected, found }) => [subject, expected, found])).toEqual([
      [`number_of_replicas of ${live}`, '0', '1'],
      [`refresh_interval of ${live}`, '1s', '-1'],
    ]);
    await local.search(`${live}/_settings`, {
      method: 'PUT',
      body: { index: { refresh_interval: '1s', number_of_replicas: 0 } },
    });
  });

  it('as a table that somebody put in its place, or whose mark is gone: is told by its oid and its mark', async () => {
    await local.withApi((session) =>
      session.query('alter table public.image rename to kept; create table public.image (like public.kept)'),
    );
    const { status, body } = await readStatus();
    expect(status).toBe(1);
    expect(body.differences).toEqual([
      expect.objectContaining({
        subject: 'table public.image',
        found: expect.stringContaining('no mark of freshet') as string,
      }),
    ]);
    await local.withApi((session) =>
      session.query(
        `drop table public.image; alter table public.kept rename to image;
         update freshet.parts set role = 'previous' where role = 'live' and media = 'image'`,
      ),
    );
    expect((await readStatus()).body.differences.map(({ subject }) => subject)).toEqual([
      'mark of public.image',
    ]);
    await local.withApi((session) =>
      session.query(`update freshet.parts set role = 'live' where oid = 'public.image'::regclass`),
    );
  });

  it('I2: in two generations is put together at the next start, before a run is executed', async () => {
    const killed = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'promote.tablesSwapped',
    });
    expect(killed.signal).toBe('SIGKILL');
    await giveUp();
    const { status, body } = await readStatus();
    expect(status).toBe(1);
    expect(body.differences.map(({ subject }) => subject)).toEqual(['generation of image']);
    // Deleted while tables and aliases differ: the API takes the row and the old index' document.
    const { rows } = await local.withApi((session) =>
      session.query<{ id: string }>(
        `with gone as (delete from public.image where id = (select max(id) from public.image where not removed_from_source) returning id, identifier),
           listed as (insert into public.api_deletedimage (identifier, created_on, updated_on) select identifier, now(), now() from gone)
         select id from gone`,
      ),
    );
    // Another media type: its run has nothing to do with the images.
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 30, seed: 7 });
    const other = await local.run(['refresh', 'local', 'audio'], { FRESHET_FAILPOINT: 'wait.waiting' });
    expect(other.signal).toBe('SIGKILL');
    const { body: after } = await readStatus();
    expect(after.differences).toEqual([]);
    expect(after.generations.find(({ media }) => media === 'image')?.live.mainIndex).not.toBe(live);
    expect((await local.documents(local.aliases.image)).has(String(rows[0]?.id))).toBe(false);
    expect((await local.run(['refresh', 'local', 'audio'])).status).toBe(0);
  });

  it('is not told of while a promotion is under way', async () => {
    const killed = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'promote.tablesSwapped',
    });
    expect(killed.signal).toBe('SIGKILL');
    expect((await readStatus()).body.differences).toEqual([]);
    // Longer than aliases take: the cluster does not answer the run, or nobody executes it.
    await local.withApi((session) =>
      session.query(`update freshet.swaps set swapped_at = swapped_at - interval '1 minute'`),
    );
    const { status, body } = await readStatus();
    expect(status).toBe(1);
    expect(body.differences.map(({ subject }) => subject)).toEqual(['generation of image']);
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    expect((await readStatus()).status).toBe(0);
  });

  it('and other warnings are in `freshet status` and in the log of the orchestrator; any run can be watched', async () => {
    const up = local.spawn(['up']);
    let log = '';
    up.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await expect.poll(() => log, { timeout: 60_000 }).toContain('runs are executed as they are added');
    await local.withState((session) =>
      session.query(
        `insert into freshet.events (level, kind, message) values ('warning', 'schedule.missed', 'nobody was up at that time')`,
      ),
    );
    const run = await local.run(['refresh', 'local', 'image', '--json']);
    expect(run.status).toBe(0);
    const { id } = (JSON.parse(run.stdout) as { run: { id: string } }).run;
    await expect.poll(() => log).toContain('nobody was up at that time');
    await expect.poll(() => log).toMatch(new RegExp(`run ${id}: begins[\\s\\S]*run ${id}: succeeded`));
    expect((await local.run(['status'])).stdout).toContain('nobody was up at that time');
    const watched = await local.run(['watch', id]);
    expect(watched.status).toBe(0);
    expect(watched.stdout).toContain(id);
    up.kill('SIGTERM');
    await once(up, 'exit');
  });

  it('in a cluster that is down: cannot be told, which is no difference', async () => {
    const { status, body } = await readStatus({ FRESHET_SEARCH_URL: 'http://127.0.0.1:9' });
    expect(status).toBe(0);
    expect(body.differences).toEqual([]);
    expect(body.cannotTell.find(({ media }) => media === 'image')?.reason).toContain(
      'the search cluster gives no answer',
    );
    const printed: CommandOutcome = await local.run(['status'], { FRESHET_SEARCH_URL: 'http://127.0.0.1:9' });
    expect(printed.stdout).toContain('cannot tell whether what is live is as it should be in local image');
  });

  it('is shown with who waits for whom: held runs and paused definitions, with what to type', async () => {
    expect((await local.run(['refresh', 'local', 'image', '--hold'])).status).toBe(0);
    await local.withState((session) =>
      session.query(`insert into freshet.paused (definition) values ('local_audio_data_refresh')`),
    );
    const { body } = await readStatus();
    const [held] = body.held;
    expect(body.paused.map(({ definition }) => definition)).toEqual(['local_audio_data_refresh']);
    const printed = (await local.run(['status'])).stdout;
    expect(printed).toContain(`freshet promote ${held?.id}   or   freshet cancel ${held?.id}`);
    expect(printed).toContain('freshet resume local_audio_data_refresh');
    expect(printed).toContain('No orchestrator is up.');
    expect(printed).toContain(
      `local image: live is run ${body.generations.find(({ media }) => media === 'image')?.live.runId}`,
    );
    expect((await local.run(['cancel', held?.id ?? ''])).status).toBe(0);
    await local.withState((session) => session.query('delete from freshet.paused'));
  });

  /** What a run leaves that gave up after half a day of a cluster that was down. */
  const giveUp = async (): Promise<void> => {
    await local.withState((session) =>
      session.query(
        `with ended as (update freshet.runs set state = 'failed', finished_at = now() where finished_at is null returning id),
           freed as (delete from freshet.leases)
         update dbos.workflow_status set status = 'ERROR' where workflow_uuid in (select id from ended)`,
      ),
    );
  };
});
