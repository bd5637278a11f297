import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { addGates, gatedUpstream, gates, shut, waitUntilBlocked } from './gates.js';
import { addOldIndex } from './refusedRun.js';
import { expectNothingLeft, readRuns, waitForRun } from './runState.js';

const timeout = 300_000;
const definition = 'staging_image_data_refresh';

/** Cancel and retry where an orchestrator of its own executes the runs: the command only asks, and follows. */
describe('with freshet up', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 200, seed: 5 });
    await local.writeFile('terms.txt', 'lighthouse\n');
  });
  afterEach(() => local.drop());

  const variables = (): Record<string, string> => ({
    FRESHET_API_URL: '',
    FRESHET_SEARCH_URL: '',
    FRESHET_STAGING_API_URL: local.api.url,
    FRESHET_STAGING_SEARCH_URL: local.searchUrl,
    FRESHET_SENSITIVE_TERMS: `${local.folder}/terms.txt`,
  });

  const staging = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
    ...gatedUpstream,
    environments: { staging: { media: { image: { shards: 1 } }, ...more } },
  });

  const startUp = async (): Promise<ChildProcess> => {
    const up = local.spawn(['up'], variables());
    up.stdout?.resume();
    if (up.stderr === null) throw new Error('no stderr');
    await once(createInterface({ input: up.stderr }), 'line');
    return up;
  };

  const stop = async (up: ChildProcess): Promise<void> => {
    up.kill('SIGKILL');
    await once(up, 'exit');
  };

  it(
    'a cancellation while no orchestrator is up is kept, says so, and is carried out when one comes up',
    async () => {
      await addGates(local);
      await local.writeConfig(staging());
      const first = await startUp();
      const open = await shut(local, gates.uniqueIndex);
      try {
        const refreshed = outcomeOf(local.spawn(['refresh', 'staging', 'image'], variables()));
        const id = await waitForRun(local, definition);
        await waitUntilBlocked(local, id, gates.uniqueIndex);
        await stop(first);
        const cancel = await local.run(['cancel', id], variables());
        expect(cancel.status).toBe(1);
        expect(cancel.stderr).toContain(
          `the cancellation of run ${id} waits for one. (ORCHESTRATOR_MISSING)`,
        );
        const second = await startUp();
        const again = await local.run(['cancel', id], variables());
        expect([0, 2]).toContain(again.status);
        expect((await readRuns(local)).map(({ state }) => state)).toEqual(['cancelled']);
        expect((await refreshed).status).toBe(1);
        await expectNothingLeft(local, id);
        await stop(second);
      } finally {
        await open();
      }
    },
    timeout,
  );

  it(
    'a retry is added for the orchestrator, and followed to its end',
    async () => {
      await addGates(local);
      await addOldIndex(local);
      await local.writeConfig(staging());
      const first = await startUp();
      const refused = await local.run(['refresh', 'staging', 'image'], variables());
      expect(refused.status, refused.stderr).toBe(2);
      const [run] = await readRuns(local);
      expect(refused.stderr).toContain(`freshet retry ${run?.id}`);
      // The orchestrator read its configuration when it started.
      await stop(first);
      await local.writeConfig(staging({ gate: { sourceLossShareMax: 1, totalLossShareMax: 1 } }));
      const second = await startUp();
      const retry = await local.run(['retry', run?.id ?? '', '--json'], variables());
      expect(retry.status, retry.stderr).toBe(0);
      expect(JSON.parse(retry.stdout)).toMatchObject({
        run: { id: run?.id, state: 'succeeded', attempt: 2 },
      });
      expect((await local.documents(local.aliases.image)).size).toBeGreaterThan(180);
      await stop(second);
    },
    timeout,
  );
});
