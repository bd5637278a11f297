import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../../setup/localEnvironment.js';
import { HeldCommand } from '../../faults/setup/heldRun.js';
import { readRuns } from './runState.js';

const refreshImage = ['refresh', 'local', 'image'] as const;
const freshet = fileURLToPath(new URL('../../../bin/freshet.js', import.meta.url));

/** Several slices. */
const env = { FRESHET_TEST_PART_ROWS: '100' };

/** What somebody who looks at a run sees of it. */
describe('whoever reads the output', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'), { env });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
  });
  afterEach(() => local.endCommands());
  afterAll(() => local.drop());

  /** The status is that of the command, not of its reader. */
  const pipe = (args: readonly string[], reader: string): Promise<CommandOutcome> => {
    const line = `set -o pipefail; "${process.execPath}" "${freshet}" ${args.join(' ')} | ${reader}`;
    return outcomeOf(
      spawn('bash', ['-c', line], {
        cwd: local.folder,
        env: local.env,
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  };

  it('may stop reading: the run goes on to its end, and nothing is told of that', async () => {
    const { status, stderr } = await pipe(refreshImage, 'head -1');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect((await readRuns(local)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  it.each(['head -1', 'true'])('may stop reading the status (%s)', async (reader) => {
    const { status, stdout, stderr } = await pipe(['status'], reader);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')).toHaveLength(reader === 'true' ? 1 : 2);
  });

  it('sees the rows of slices that an earlier process has done', async () => {
    const killed = await local.run(refreshImage, { FRESHET_FAILPOINT: 'reindex.slice' });
    expect(killed.signal).toBe('SIGKILL');
    const { rows } = await local.withState((session) =>
      session.query<{ read: number; slices: number }>(
        `select sum((counts->>'read')::int)::int as read, count(*)::int as slices
         from freshet.slices where state = 'done' and run_id = (select id from freshet.runs order by created_at desc limit 1)`,
      ),
    );
    expect(rows[0]?.slices).toBe(1);
    const resumed = await HeldCommand.start(local, refreshImage, ['worker.begun']);
    await resumed.reach('worker.begun');
    const shown = async (): Promise<string> => (await local.run(['status'])).stdout;
    await expect.poll(shown, { timeout: 60_000 }).toContain(`reindex: ${rows[0]?.read} of 520 rows`);
    await resumed.release('worker.begun');
    expect((await resumed.ended).status).toBe(0);
  });
});
