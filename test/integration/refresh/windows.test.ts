import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../../setup/localEnvironment.js';

const hourMs = 3_600_000;

interface Told {
  readonly run: { readonly id: string; readonly state: string; readonly attempt: number };
  readonly events: readonly { readonly kind: string; readonly message: string }[];
  readonly phases: readonly { readonly name: string; readonly state: string; readonly startedAt: string }[];
}

describe('promotion windows', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
  });
  afterEach(() => local.drop());

  const timeOf = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
  const configure = (from: number, to: number) =>
    local.writeConfig({
      environments: { local: { promotion: { windows: [{ from: timeOf(from), to: timeOf(to) }] } } },
    });
  /** The window has been open for an hour, and is for another. */
  const open = () => configure(Date.now() - hourMs, Date.now() + hourMs);
  /** It opens in some hours. */
  const close = () => configure(Date.now() + 3 * hourMs, Date.now() + 4 * hourMs);

  const json = (...args: string[]) => local.run([...args, '--json']);
  const toldBy = ({ stdout }: CommandOutcome): Told => JSON.parse(stdout) as Told;
  const phase = (told: Told, name: string) => told.phases.find((one) => one.name === name);
  const waits = ({ events }: Told) => events.filter(({ kind }) => kind === 'promotion.window').length;
  const documents = async () => (await local.documents(local.aliases.image)).size;
  const isLive = async (): Promise<boolean> =>
    (await local.search<Record<string, unknown>>(`_alias/${local.aliases.image}`))['error'] === undefined;

  /** Runs a command until its candidate waits for a window. */
  const startWaiting = async (...args: string[]): Promise<{ child: ChildProcess; runId: string }> => {
    const child = local.spawn([...args, '--json']);
    const deadline = Date.now() + 90_000;
    while (Date.now() < deadline) {
      const { rows } = await local.withState((session) =>
        session
          .query<{ id: string }>(`select run_id as id from freshet.events where kind = 'promotion.window'`)
          .catch(() => ({ rows: [] as { id: string }[] })),
      );
      if (rows[0] !== undefined) return { child, runId: rows[0].id };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('nothing waits for a window');
  };

  const kill = async (child: ChildProcess): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };

  it('that is open lets the promotion begin at once', async () => {
    await open();
    const outcome = await json('refresh', 'local', 'image');
    expect(outcome.status).toBe(0);
    expect(waits(toldBy(outcome))).toBe(0);
    expect(phase(toldBy(outcome), 'window')?.state).toBe('done');
  });

  it('that is closed makes the candidate wait; status says until when, and it can be cancelled', async () => {
    await close();
    const { child, runId } = await startWaiting('refresh', 'local', 'image');
    const ended = outcomeOf(child);
    expect(await isLive()).toBe(false);
    const status = await local.run(['status']);
    expect(status.stdout).toMatch(/window: \d+ of 1[78]\d minutes until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect((await json('cancel', runId)).status).toBe(0);
    expect(toldBy(await ended).run.state).toBe('cancelled');
    expect(await local.indexes()).toEqual({});
  });

  it('is waited for across restarts, without anything done again', async () => {
    await close();
    await kill((await startWaiting('refresh', 'local', 'image')).child);
    await open();
    const outcome = await json('refresh', 'local', 'image');
    expect(outcome.stderr).toContain('resuming');
    expect(outcome.status).toBe(0);
    expect(toldBy(outcome).run.attempt).toBe(1);
    expect(await documents()).toBeGreaterThan(400);
  });

  it('that opens long after the verification lets the candidate be reconciled and verified again before', async () => {
    await open();
    expect((await json('refresh', 'local', 'image')).status).toBe(0);
    const [first] = [...(await local.documents(local.aliases.image))];
    await close();
    const { child, runId } = await startWaiting('refresh', 'local', 'image');
    await kill(child);
    // A writer takes a record down, and hours pass.
    await local.withApi((session) =>
      session.query(
        `insert into public.api_deletedimage (identifier, created_on, updated_on) values ('${String(first?.[1]['identifier'])}', now(), now())`,
      ),
    );
    await local.withState((session) =>
      session.query(
        `update freshet.phases set started_at = started_at - interval '2 hours', finished_at = finished_at - interval '2 hours' where run_id = '${runId}'`,
      ),
    );
    const { rows } = await local.withState((session) => session.query<{ at: Date }>(`select now() as at`));
    await open();
    const outcome = await json('refresh', 'local', 'image');
    expect(outcome.status).toBe(0);
    const restartedAt = rows[0]?.at.toISOString() ?? '';
    const isAgain = (name: string) => (phase(toldBy(outcome), name)?.startedAt ?? '') > restartedAt;
    expect(['copy', 'reindex', 'serving'].map(isAgain)).toEqual([false, false, false]);
    expect(['reconcile', 'verify', 'window', 'promote'].map(isAgain)).toEqual([true, true, true, true]);
    const { rows: reconciled } = await local.withState((session) =>
      session.query<{ deleted: number }>(
        `select (result->>'rowsDeleted')::int as deleted from freshet.phases where run_id = '${runId}' and name = 'reconcile'`,
      ),
    );
    expect(reconciled).toEqual([{ deleted: 1 }]);
    expect((await local.documents(local.aliases.image)).has(first?.[0] ?? '')).toBe(false);
  });

  it('that the gate finds something in when it opens refuses the candidate, and a retry asks for the window again', async () => {
    await close();
    const { child, runId } = await startWaiting('refresh', 'local', 'image', '--index-suffix', 'b');
    await kill(child);
    const [path] = [...(await local.documents(`${local.aliases.image}-b`)).keys()];
    const before = await local.search<{ _source: unknown }>(`${local.aliases.image}-b/_doc/${path}`);
    await local.search(`${local.aliases.image}-b/_doc/${path}?refresh=true`, { method: 'DELETE' });
    await local.withState((session) =>
      session.query(
        `update freshet.phases set finished_at = finished_at - interval '2 hours' where run_id = '${runId}'`,
      ),
    );
    await open();
    expect((await json('refresh', 'local', 'image')).status).toBe(2);
    expect(await isLive()).toBe(false);
    await local.search(`${local.aliases.image}-b/_doc/${path}?refresh=true`, {
      method: 'PUT',
      body: before._source,
    });
    await close();
    const retried = await startWaitingAgain(runId);
    await kill(retried);
    await open();
    const outcome = await json('refresh', 'local', 'image');
    expect(outcome.status).toBe(0);
    expect(toldBy(outcome).run).toMatchObject({ id: runId, attempt: 2 });
  });

  const startWaitingAgain = async (runId: string): Promise<ChildProcess> => {
    await local.withState((session) =>
      session.query(`delete from freshet.events where kind = 'promotion.window'`),
    );
    return (await startWaiting('retry', runId)).child;
  };

  it('lets a held run that is promoted wait until it opens, to the minute; --any-time does not wait', async () => {
    const held = await json('refresh', 'local', 'image', '--hold');
    const opening = Math.ceil((Date.now() + 40_000) / 60_000) * 60_000;
    await configure(opening, opening + hourMs);
    const promoted = await json('promote', toldBy(held).run.id);
    expect(promoted.status).toBe(0);
    expect(waits(toldBy(promoted))).toBe(1);
    const { rows } = await local.withState((session) =>
      session.query<{ at: Date }>(
        'select promoted_at as at from freshet.generations where promoted_at is not null',
      ),
    );
    expect(rows[0]?.at.getTime()).toBeGreaterThanOrEqual(opening);
    await close();
    const again = await json('refresh', 'local', 'image', '--hold');
    const atOnce = await json('promote', toldBy(again).run.id, '--any-time');
    expect(atOnce.status).toBe(0);
    expect(waits(toldBy(atOnce))).toBe(0);
  }, 240_000);
});
