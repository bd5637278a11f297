import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { runOnTerminal, type OnTerminal } from '../../setup/terminal.js';
import { addGates, gatedUpstream, gates, hold, shut, waitUntilBlocked } from '../refresh/gates.js';
import { expectNothingLeft, readRuns, waitForRun } from '../refresh/runState.js';

interface RunRow {
  readonly definition: string;
  readonly state: string;
  readonly started: Date;
  readonly finished: Date;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a refresh that is interrupted', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 500, seed: 3 });
    // Makes the tables of the state.
    expect((await local.run(['status'])).status).toBe(0);
  });
  afterAll(() => local.drop());

  const readyWorkers = () =>
    local.withState(async (session) => {
      const { rows } = await session.query<{ pid: number }>(
        `select pid from freshet.workers where state = 'ready' and pid is not null`,
      );
      return rows.map(({ pid }) => pid);
    });

  const runs = () =>
    local.withState(async (session) => {
      const { rows } = await session.query<RunRow>(
        'select definition, state, started_at as started, finished_at as finished from freshet.runs order by started_at',
      );
      return rows;
    });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s ends with 130 within seconds, leaves no worker, and the same command goes on and succeeds',
    async (signal) => {
      const command = ['refresh', 'local', 'image', '--json'];
      const suffix = signal.toLowerCase();
      const index = `${local.aliases.image}-${suffix}`;
      const before = (await runs()).length;
      // Writes to the new index are blocked, so that the worker is in the middle of its slice.
      await local.search(`_index_template/${index}`, {
        method: 'PUT',
        body: {
          index_patterns: [index],
          priority: 500,
          template: { settings: { 'index.blocks.read_only_allow_delete': true } },
        },
      });
      const child = local.spawn([...command, '--index-suffix', suffix]);
      const ended = outcomeOf(child);
      await expect.poll(readyWorkers, { timeout: 60_000 }).toHaveLength(1);
      const [worker = 0] = await readyWorkers();
      const interruptedAt = performance.now();
      child.kill(signal);
      const outcome = await ended;
      expect(outcome.status).toBe(130);
      expect(performance.now() - interruptedAt).toBeLessThan(10_000);
      expect(outcome.stderr).toMatch(
        /interrupted: nothing that is live was changed by that\. The run goes on with: freshet refresh local image/,
      );
      expect(outcome.stderr).not.toContain('error');
      expect(outcome.stdout).toBe('');
      await expect.poll(() => isAlive(worker), { timeout: 15_000 }).toBe(false);
      expect((await runs()).map(({ state }) => state).filter((state) => state === 'running')).toHaveLength(1);

      await local.search(`_index_template/${index}`, { method: 'DELETE' });
      await local.search(`${index}/_settings`, {
        method: 'PUT',
        body: { 'index.blocks.read_only_allow_delete': null },
      });
      const again = await local.run(command);
      expect(again.stderr).toMatch(
        new RegExp(
          `resuming: run \\S+, begun .*, was not over\\. .*index suffix ${suffix}, at most 10,000 records`,
        ),
      );
      expect(again.status).toBe(0);
      expect((JSON.parse(again.stdout) as { run: { state: string } }).run.state).toBe('succeeded');
      expect(await runs()).toHaveLength(before + 1);
      expect((await local.indexes())[index]).toEqual([local.aliases.image]);
      expect((await local.documents(local.aliases.image)).size).toBeGreaterThan(480);
      expect(await readyWorkers()).toEqual([]);
    },
  );

  it('two commands for two media types at once: one waits for the other, and both succeed', async () => {
    const before = (await runs()).length;
    const both = ['image', 'audio'].map((media) => local.spawn(['refresh', 'local', media, '--json']));
    const outcomes = await Promise.all(both.map(outcomeOf));
    expect(outcomes.map(({ status }) => status)).toEqual([0, 0]);
    const reported = outcomes.map(
      ({ stdout }) => JSON.parse(stdout) as { run: { media: string; state: string } },
    );
    expect(reported.map(({ run }) => [run.media, run.state])).toEqual([
      ['image', 'succeeded'],
      ['audio', 'succeeded'],
    ]);
    const [first, second, ...others] = (await runs()).slice(before);
    expect(others).toEqual([]);
    expect(first?.definition).not.toBe(second?.definition);
    expect(second?.started.getTime()).toBeGreaterThanOrEqual(first?.finished.getTime() ?? Infinity);
    expect(outcomes.map(({ stderr }) => stderr).join('')).toMatch(
      /waits for local_(image|audio)_data_refresh \(run \S+\), which holds local/,
    );
    for (const child of both) if (child.exitCode === null) await once(child, 'exit');
  });

  it('the process that executes both may be interrupted: the other one takes over and succeeds', async () => {
    const before = (await runs()).length;
    const image = local.spawn(['refresh', 'local', 'image', '--json']);
    const imageEnded = outcomeOf(image);
    await expect.poll(async () => (await runs()).length, { timeout: 30_000 }).toBe(before + 1);
    const audio = local.spawn(['refresh', 'local', 'audio', '--json']);
    const audioEnded = outcomeOf(audio);
    await expect.poll(async () => (await runs()).length, { timeout: 30_000 }).toBe(before + 2);
    image.kill('SIGINT');
    expect((await imageEnded).status).toBe(130);
    const taken = await audioEnded;
    expect(taken.status).toBe(0);
    expect((await runs()).map(({ state }) => state)).not.toContain('running');
    expect((await runs()).slice(before).map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
  });
});

describe('Ctrl-C on a terminal, on a run that is followed', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 200, seed: 7 });
    await addGates(local);
    await local.writeConfig(gatedUpstream);
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
  });
  afterAll(() => local.drop());

  const begin = async (): Promise<{ command: OnTerminal; runId: string }> => {
    const command = runOnTerminal(local, ['refresh', 'local', 'image']);
    return { command, runId: await waitForRun(local, 'local_image_data_refresh') };
  };

  const expectShown = (command: OnTerminal, text: RegExp): Promise<void> =>
    expect.poll(() => command.shown(), { timeout: 60_000 }).toMatch(text);

  const stateOf = async (runId: string): Promise<string | undefined> =>
    (await readRuns(local)).find(({ id }) => id === runId)?.state;

  const askAgain =
    /Ctrl-C again cancels the run\. Without it the run is left as it is in 2 s\. The run goes on with: freshet refresh local image/;

  it('once, leaves the run as it is after it has said how to cancel it', async () => {
    const open = await shut(local, gates.rows);
    const { command, runId } = await begin();
    await waitUntilBlocked(local, runId, gates.rows);
    command.interrupt();
    await expectShown(command, askAgain);
    expect(await command.ended).toEqual({ status: 130 });
    expect(command.shown()).toMatch(/interrupted: nothing that is live was changed by that/);
    expect(await stateOf(runId)).toBe('running');
    await open();
    const again = await local.run(['refresh', 'local', 'image']);
    expect(again.stderr).toContain(`resuming: run ${runId}`);
    expect(again.status).toBe(0);
  });

  it('twice, cancels it and follows it to its end', async () => {
    const open = await shut(local, gates.rows);
    const { command, runId } = await begin();
    await waitUntilBlocked(local, runId, gates.rows);
    command.interrupt();
    await expectShown(command, askAgain);
    command.interrupt();
    await expectShown(command, /cancelling: what the run has made is removed/);
    expect(await command.ended).toEqual({ status: 130 });
    expect(command.shown()).toMatch(/cancelled in copy: Run \S+ was cancelled/);
    expect(await stateOf(runId)).toBe('cancelled');
    await expectNothingLeft(local, runId);
    await open();
  });

  it('three times, ends at once; the cancellation is kept for the next command', async () => {
    const open = await shut(local, gates.otherIndex);
    const { command, runId } = await begin();
    await waitUntilBlocked(local, runId, gates.otherIndex);
    // The table cannot be dropped, so the cancellation takes its time.
    const unlock = await hold(local, 'api', 'lock table public.temp_import_image in access share mode');
    command.interrupt();
    await expectShown(command, askAgain);
    command.interrupt();
    await expectShown(command, /cancelling/);
    command.interrupt();
    expect(await command.ended).toEqual({ status: 130 });
    await unlock();
    await open();
    expect(await stateOf(runId)).not.toBe('cancelled');
    // It first ends the run that was cancelled, then begins its own.
    const next = await local.run(['refresh', 'local', 'image']);
    expect(next.stderr).toContain(`run ${runId} was cancelled and is not over; its end comes first`);
    expect(next.status, next.stderr).toBe(0);
    expect(await stateOf(runId)).toBe('cancelled');
    await expectNothingLeft(local, runId);
  });

  it('twice in a promotion, says that it cannot be cancelled, and lets it end', async () => {
    const unlock = await hold(local, 'api', 'lock table public.image in access share mode');
    const { command, runId } = await begin();
    await expect.poll(() => stateOf(runId), { timeout: 60_000 }).toBe('promoting');
    command.interrupt();
    await expectShown(command, askAgain);
    command.interrupt();
    await expectShown(command, /not cancelled: Run \S+ cannot be cancelled: its promotion has begun/);
    await unlock();
    expect(await command.ended).toEqual({ status: 0 });
    expect(await stateOf(runId)).toBe('succeeded');
  });
});
