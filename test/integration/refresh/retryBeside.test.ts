import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { hold } from './gates.js';
import { lenientGate, refuseRun } from './refusedRun.js';
import { expectCatalogIsLive, readLive, readPhases, readRuns, waitForPhase, waitForRun } from './runState.js';

const timeout = 300_000;

/** A retry beside other commands, other runs, and the death of its own process. */
describe('freshet retry', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 200, seed: 31 });
  });
  afterEach(() => local.drop());

  const stateOf = async (id: string): Promise<string | undefined> =>
    (await readRuns(local)).find((run) => run.id === id)?.state;

  it('of a run that a later one of the same tables has followed is refused', async () => {
    const run = await refuseRun(local);
    await local.writeConfig(lenientGate);
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const live = await readLive(local);
    const retry = await local.run(['retry', run.id]);
    expect(retry.status).toBe(2);
    const later = (await readRuns(local)).at(-1)?.id ?? '';
    expect(retry.stderr).toContain(`run ${later} of the same tables has begun since`);
    expect(retry.stderr).toContain('NOT_RETRYABLE');
    const ofSucceeded = await local.run(['retry', later]);
    expect(ofSucceeded.status).toBe(2);
    expect(ofSucceeded.stderr).toContain('it is succeeded');
    expect(await stateOf(run.id)).toBe('refused');
    expect(await readLive(local)).toEqual(live);
  });

  it(
    'while another run of the definition is active is refused, and the run stays as it is',
    async () => {
      const run = await refuseRun(local);
      await fillCatalog({ catalogUrl: local.catalog.url, media: 'audio', records: 50, seed: 31 });
      // The active one waits behind a run of the other media type, so that it has removed nothing yet.
      const release = await hold(local, 'api', 'lock table public.audio in access exclusive mode');
      try {
        const audio = local.spawn(['refresh', 'local', 'audio']);
        const audioEnded = outcomeOf(audio);
        await waitForPhase(local, await waitForRun(local, 'local_audio_data_refresh'), 'wait', 'done');
        const image = local.spawn(['refresh', 'local', 'image']);
        const imageEnded = outcomeOf(image);
        const active = await waitForRun(local, 'local_image_data_refresh');
        await waitForPhase(local, active, 'wait');
        const retry = await local.run(['retry', run.id]);
        expect(retry.status).toBe(64);
        expect(retry.stderr).toMatch(/local_image_data_refresh is \w+ already .*ALREADY_RUNNING/);
        expect(await stateOf(run.id)).toBe('refused');
        expect((await local.run(['cancel', active])).status).toBe(0);
        await release();
        expect((await imageEnded).status).toBe(1);
        expect((await audioEnded).status).toBe(0);
      } finally {
        await release();
      }
    },
    timeout,
  );

  it('asked for by two at once is one retry', async () => {
    const run = await refuseRun(local);
    await local.writeConfig(lenientGate);
    const both = await Promise.all([local.run(['retry', run.id]), local.run(['retry', run.id])]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([0, 2]);
    expect(both.map(({ stderr }) => stderr).join('')).toMatch(/another command was faster|it is not over/);
    expect((await readRuns(local))[0]).toMatchObject({ state: 'succeeded', attempt: 2 });
    await expectCatalogIsLive(local);
  });

  const killed = async (args: readonly string[], failpoint: string): Promise<void> => {
    const child = local.spawn(args, { FRESHET_FAILPOINT: failpoint });
    child.stdout?.resume();
    child.stderr?.resume();
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal, `the process was to be killed at ${failpoint}`).toBe('SIGKILL');
  };

  it(
    'whose process dies goes on with the next command, as any run',
    async () => {
      const run = await refuseRun(local);
      await local.writeConfig(lenientGate);
      await killed(['retry', run.id], 'verify.checked');
      const again = await local.run(['retry', run.id]);
      expect(again.status).toBe(2);
      expect(again.stderr).toMatch(/it is not over \(verifying\)/);
      const resumed = await local.run(['refresh', 'local', 'image']);
      expect(resumed.stderr).toContain(`resuming: run ${run.id}`);
      expect(resumed.status).toBe(0);
      expect(await readRuns(local)).toHaveLength(1);
      await expectCatalogIsLive(local);
    },
    timeout,
  );

  it('is not disturbed by the attempt before it, whose process died just after its end', async () => {
    // The engine has not noted that the first attempt is over, so it starts that one again beside the second.
    await local.withCatalog((session) => session.query('alter table public.image rename to elsewhere'));
    await killed(['refresh', 'local', 'image'], 'end.after');
    const [run] = await readRuns(local);
    expect(run).toMatchObject({ state: 'refused', error: { code: 'TABLE_MISSING' } });
    await local.withCatalog((session) => session.query('alter table public.elsewhere rename to image'));
    const retry = await local.run(['retry', run?.id ?? '']);
    expect(retry.status, retry.stderr).toBe(0);
    expect(await readRuns(local)).toMatchObject([{ state: 'succeeded', attempt: 2 }]);
    await expectCatalogIsLive(local);
  });

  it(
    'I2: of a promotion that was given up between tables and aliases moves the aliases, and nothing before that',
    async () => {
      await killed(['refresh', 'local', 'image', '--index-suffix', 'half'], 'promote.tablesSwapped');
      // What a run leaves that gave up after half a day of a cluster that was down.
      await local.withState((session) =>
        session.query(
          `update freshet.runs set state = 'failed', finished_at = now(), error = '{"code": "PROMOTION_INCOMPLETE"}';
           update freshet.phases set state = 'failed' where name = 'promote';
           delete from freshet.leases;
           update dbos.workflow_status set status = 'ERROR'`,
        ),
      );
      const [run] = await readRuns(local);
      const id = run?.id ?? '';
      const phases = await readPhases(local, id);
      expect(Object.values(await local.indexes()).flat()).not.toContain(local.aliases.image);
      const earlier = await local.run(['retry', id, '--from-step', 'verify']);
      expect(earlier.status).toBe(2);
      expect(earlier.stderr).toContain('its promotion has begun');
      // Whatever the catalog is like by now.
      await local.withCatalog((session) => session.query('alter table public.image rename to elsewhere'));
      const retry = await local.run(['retry', id]);
      expect(retry.status, retry.stderr).toBe(0);
      await local.withCatalog((session) => session.query('alter table public.elsewhere rename to image'));
      const after = await readPhases(local, id);
      for (const name of ['copy', 'reindex', 'serving', 'reconcile', 'verify']) {
        expect(after.get(name), name).toEqual(phases.get(name));
      }
      await expectCatalogIsLive(local);
    },
    timeout,
  );
});
