import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { withSession } from '../../src/postgres/session.js';
import { fillCatalog } from '../../src/sample/index.js';
import { createDatabase, type TestDatabase } from '../setup/databases.js';
import { LocalEnvironment, outcomeOf, type CommandOutcome } from '../setup/localEnvironment.js';

/** Tries of each race: some in CI, more with `npm run test:races -- 100`. */
const tries = Number(process.env['FRESHET_RACE_TRIES'] ?? 3);

/** So many rows that a run has something to do in every phase, and so few that it is over in a moment. */
const records = 40;

/** When a run had the environment, as the database that it was recorded in tells. */
interface Hold {
  readonly run: string;
  readonly state: string;
  readonly from: Date;
  readonly to: Date;
}

/** From the end of the wait (the run has lease and API database) to the end of the run. */
const holdsQuery = `
  select r.id as run, r.state, p.finished_at as "from", r.finished_at as "to"
  from freshet.runs r join freshet.phases p on p.run_id = r.id and p.name = 'wait' and p.state = 'done'
  where r.finished_at is not null order by p.finished_at`;

function expectApart(holds: readonly Hold[]): void {
  const sorted = holds.toSorted((one, other) => one.from.getTime() - other.from.getTime());
  for (const [index, hold] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next === undefined) continue;
    expect(
      next.from.getTime(),
      `run ${next.run} began while run ${hold.run} held the environment`,
    ).toBeGreaterThanOrEqual(hold.to.getTime());
  }
}

/** Starts both at one moment, in an order that changes, and waits for both. */
async function race(
  local: LocalEnvironment,
  round: number,
  commands: readonly { readonly args: readonly string[]; readonly env?: Record<string, string> }[],
): Promise<CommandOutcome[]> {
  const order = commands.map((command, index) => ({ command, index }));
  if (round % 2 === 1) order.reverse();
  const outcomes: CommandOutcome[] = [];
  const ended = order.map(async ({ command, index }) => {
    outcomes[index] = await outcomeOf(local.spawn(command.args, command.env));
  });
  await Promise.all(ended);
  return outcomes;
}

describe(`two processes that do something at one moment, ${tries} tries`, { timeout: tries * 60_000 }, () => {
  let local: LocalEnvironment;
  let otherState: TestDatabase;

  beforeAll(async () => {
    const parts = inject('parts');
    local = await LocalEnvironment.create(parts);
    otherState = await createDatabase(parts.apiUrl);
    for (const media of ['image', 'audio'] as const)
      await fillCatalog({ catalogUrl: local.catalog.url, media, records, seed: 3 });
    expect((await local.run(['refresh', 'local', 'image'])).stderr).toBe('');
    expect((await local.run(['refresh', 'local', 'audio'])).stderr).toBe('');
  });
  afterAll(async () => {
    await local.drop();
    await otherState.drop();
  });

  const readHolds = (): Promise<Hold[]> =>
    local.withState(async (session) => (await session.query<Hold>(holdsQuery)).rows);

  const readPromotions = async (): Promise<{ runs: number; swaps: number }> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ runs: string; swaps: string }>(
        'select count(distinct run_id) as runs, count(*) as swaps from freshet.swaps',
      ),
    );
    return { runs: Number(rows[0]?.runs), swaps: Number(rows[0]?.swaps) };
  };

  /** Nobody holds anything, nothing is half done, and readers find what the catalog has. */
  const expectQuiet = async (): Promise<void> => {
    const { rows: holders } = await local.withApi((session) =>
      session.query('select * from freshet.holders'),
    );
    expect(holders).toEqual([]);
    const { rows: open } = await local.withState((session) =>
      session.query(
        `select id from freshet.runs where finished_at is null union all select run_id from freshet.leases`,
      ),
    );
    expect(open).toEqual([]);
    for (const media of ['image', 'audio'] as const) {
      const { rows } = await local.withApi((session) =>
        session.query<{ id: string }>(
          `select id::text as id from public.${media} where not removed_from_source`,
        ),
      );
      const ids = [...(await local.documents(local.aliases[media])).keys()].sort();
      expect(ids).toEqual(rows.map(({ id }) => id).sort());
    }
  };

  it('two refreshes of one environment: one waits for the other, both are promoted once', async () => {
    for (let round = 0; round < tries; round += 1) {
      const before = await readPromotions();
      const outcomes = await race(local, round, [
        { args: ['refresh', 'local', 'image'] },
        { args: ['refresh', 'local', 'audio'] },
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual([0, 0]);
      const after = await readPromotions();
      expect([after.runs - before.runs, after.swaps - before.swaps]).toEqual([2, 2]);
      await expectQuiet();
    }
    expectApart(await readHolds());
  });

  it('one definition twice: one runs, the other is told so', async () => {
    for (let round = 0; round < tries; round += 1) {
      const before = await readPromotions();
      const outcomes = await race(local, round, [
        { args: ['refresh', 'local', 'image'] },
        { args: ['refresh', 'local', 'image'] },
      ]);
      const refused = outcomes.filter(({ status }) => status === 64);
      expect(outcomes.map(({ status }) => status).sort()).toEqual([0, 64]);
      expect(refused[0]?.stderr).toContain('ALREADY_RUNNING');
      expect((await readPromotions()).swaps - before.swaps).toBe(1);
      await expectQuiet();
    }
    expectApart(await readHolds());
  });

  it('a refresh and a filtered-index flow: never beside each other', async () => {
    for (let round = 0; round < tries; round += 1) {
      const before = await readPromotions();
      const [refresh, filtered] = await race(local, round, [
        { args: ['refresh', 'local', 'image'] },
        { args: ['filtered-index', 'local', 'image'] },
      ]);
      expect(refresh?.status).toBe(0);
      // Second it is refused; first it is done, and the refresh waits.
      expect([0, 2]).toContain(filtered?.status);
      if (filtered?.status === 2) expect(filtered.stderr).toMatch(/ENVIRONMENT_BUSY/);
      expect((await readPromotions()).swaps - before.swaps).toBe(1);
      await expectQuiet();
    }
    expectApart(await readHolds());
  });

  it('two orchestrators that start: one is it, the other stands by and takes over', async () => {
    for (let round = 0; round < tries; round += 1) {
      const both = [local.spawn(['up']), local.spawn(['up'])];
      const said = ['', ''];
      for (const [index, child] of both.entries())
        child.stderr?.on('data', (chunk: Buffer) => (said[index] += chunk.toString()));
      const isUp = (index: number): boolean => /^up:/m.test(said[index] ?? '');
      await expect
        .poll(() => said.filter((text) => /^(up|standby):/m.test(text)).length, { timeout: 30_000 })
        .toBe(2);
      expect([isUp(0), isUp(1)].filter(Boolean)).toHaveLength(1);
      const first = isUp(0) ? 0 : 1;
      both[first]?.kill('SIGKILL');
      await expect.poll(() => isUp(1 - first), { timeout: 10_000 }).toBe(true);
      both[1 - first]?.kill('SIGKILL');
    }
  });

  it('two state databases on one API database: one waits for the other', async () => {
    for (let round = 0; round < tries; round += 1) {
      const before = await readPromotions();
      const outcomes = await race(local, round, [
        { args: ['refresh', 'local', 'image'] },
        { args: ['refresh', 'local', 'image'], env: { FRESHET_STATE_URL: otherState.url } },
      ]);
      expect(outcomes.map(({ status, stderr }) => [status, stderr])).toEqual([
        [0, expect.anything()],
        [0, expect.anything()],
      ]);
      expect((await readPromotions()).swaps - before.swaps).toBe(2);
      await expectQuiet();
    }
    // Both state databases are on one server, so that their times can be compared.
    const others = await withSession(
      otherState.url,
      { applicationName: 'test', called: 'other state' },
      (session) => session.query<Hold>(holdsQuery),
    );
    expect(others.rows).toHaveLength(tries);
    expectApart([...(await readHolds()), ...others.rows]);
  });
});
