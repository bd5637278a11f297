import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { failpoints } from '../../../src/failpoints.js';
import { refreshPhases } from '../../../src/refresh/phases.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { RecordRandom } from '../../../src/sample/random.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { lenientGate, strictGate } from './refusedRun.js';
import { expectCatalogIsLive, readRuns, type RunRow } from './runState.js';

const rounds = 4;
const seeds = [1, 2, 3];
const timeout = 900_000;

/** Points of the orchestrator, not of a worker (whose death is a trouble of its own), at which a run like these comes by. */
const points = Object.keys(failpoints).filter((name) =>
  /^(copy|keys|create-indexes|reindex|constraints|filtered-index|serving|verify|promote|swap|end)\./.test(
    name,
  ),
);

type Trouble = 'none' | 'kill' | 'workers' | 'gate' | 'cancel';

/** Whatever fails, is cancelled, killed and retried, in whichever order: in the end tables and indexes are what the catalog says, and nothing is left. */
describe('any sequence of failures, retries and cancellations', () => {
  let catalog: TestDatabase;
  let api: TestDatabase;
  beforeAll(async () => {
    const filled = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: filled.catalog.url, media: 'image', records: 150, seed: 41 });
    const { catalogUrl, apiUrl } = inject('parts');
    catalog = await createDatabase(catalogUrl, { template: filled.catalog.name });
    api = await createDatabase(apiUrl, { template: filled.api.name });
    await filled.drop();
  });
  afterAll(() => Promise.all([catalog.drop(), api.drop()]));

  it.each(seeds)(
    'ends right (seed %i)',
    async (seed) => {
      const templates = { catalog: catalog.name, api: api.name };
      const env = { FRESHET_TEST_PART_ROWS: '40' };
      const local = await LocalEnvironment.create(inject('parts'), { templates, env, tables: false });
      try {
        const sequence = new Sequence(local, new RecordRandom(seed, 0, 0));
        for (let round = 0; round < rounds; round += 1) await sequence.step();
        await sequence.finish();
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      } finally {
        await local.drop();
      }
    },
    timeout,
  );
});

class Sequence {
  /** What was done, for whoever reads of a failure. */
  private readonly done: string[] = [];
  private changes = 0;

  constructor(
    private readonly local: LocalEnvironment,
    private readonly random: RecordRandom,
  ) {}

  async step(): Promise<void> {
    await this.changeRecords();
    await this.act(this.random.pick<Trouble>(['none', 'kill', 'kill', 'workers', 'gate', 'cancel']));
    await this.expectConsistent();
  }

  /** Goes on with what there is, then one refresh without trouble. */
  async finish(): Promise<void> {
    await this.local.writeConfig(lenientGate);
    const last = await this.lastRun();
    if (last !== null && !isOver(last)) await this.run(['refresh', 'local', 'image'], 'none');
    await this.run(['refresh', 'local', 'image'], 'none');
    expect((await this.lastRun())?.state, this.story()).toBe('succeeded');
    await expectCatalogIsLive(this.local);
    const { rows: temps } = await this.local.withApi((session) =>
      session.query(`select relname from pg_class where relname like 'temp_import%'`),
    );
    expect(temps, this.story()).toEqual([]);
    // Live and previous, main and filtered.
    expect(Object.keys(await this.local.indexes()).length, this.story()).toBeLessThanOrEqual(4);
    const { rows: open } = await this.local.withState((session) =>
      session.query(
        'select run_id from freshet.leases union all select id from freshet.runs where finished_at is null',
      ),
    );
    expect(open, this.story()).toEqual([]);
  }

  private async act(trouble: Trouble): Promise<void> {
    await this.local.writeConfig(trouble === 'gate' ? strictGate : lenientGate);
    const last = await this.lastRun();
    if (last !== null && !isOver(last)) {
      await this.run(this.random.chance(0.3) ? ['cancel', last.id] : ['refresh', 'local', 'image'], trouble);
    } else if (last !== null && /failed|refused/.test(last.state) && this.random.chance(0.8)) {
      const from = this.random.chance(0.4) ? ['--from-step', this.random.pick(refreshPhases)] : [];
      await this.run(['retry', last.id, ...from], trouble);
    } else {
      await this.run(['refresh', 'local', 'image'], trouble);
    }
  }

  private async run(args: string[], trouble: Trouble): Promise<void> {
    const failpoint =
      trouble === 'kill' ? this.random.pick(points) : trouble === 'workers' ? 'worker.rows' : null;
    this.done.push(`${args.join(' ')} (${trouble}${failpoint === null ? '' : ` ${failpoint}`})`);
    const child = this.local.spawn(args, failpoint === null ? {} : { FRESHET_FAILPOINT: failpoint });
    const ended = outcomeOf(child);
    if (trouble === 'cancel') await this.cancelSoon();
    const { status, signal, stderr } = await ended;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(signal === null || signal === 'SIGKILL', this.story()).toBe(true);
    expect(stderr, this.story()).not.toContain('INTERNAL');
    if (trouble === 'none' && args[0] === 'refresh')
      expect([0, 1, 2], `${this.story()}\n${stderr}`).toContain(status);
  }

  /** At a moment of the run's life that depends on the seed only as far as the machine is as fast as it was. */
  private async cancelSoon(): Promise<void> {
    const phase = this.random.pick(['copy', 'keys', 'reindex', 'filtered-index', 'verify']);
    const began = async (): Promise<boolean> => {
      const { rows } = await this.local
        .withState((session) =>
          session.query<{ began: boolean }>(
            `select p.started_at is not null or r.finished_at is not null as began
             from freshet.runs r join freshet.phases p on p.run_id = r.id
             where p.name = $1 order by r.created_at desc limit 1`,
            [phase],
          ),
        )
        // The first command makes the tables of the state.
        .catch(() => ({ rows: [] }));
      return rows[0]?.began === true;
    };
    await expect.poll(began, { timeout: 120_000, interval: 50 }).toBe(true);
    const run = await this.lastRun();
    const cancel = await this.local.run(['cancel', run?.id ?? '']);
    this.done.push(`cancelled in ${phase}: ${cancel.status}`);
    expect([0, 2], `${this.story()}\n${cancel.stderr}`).toContain(cancel.status);
    if (cancel.status === 0) expect((await this.lastRun())?.state, this.story()).toBe('cancelled');
  }

  private async changeRecords(): Promise<void> {
    this.changes += 1;
    await this.local.withCatalog((session) =>
      session.query(
        `delete from public.image where identifier = (select identifier from public.image order by md5(identifier::text || $1) limit 1)`,
        [String(this.changes)],
      ),
    );
    await this.local.withCatalog((session) =>
      session.query(
        `update public.image set url = 'https://changed.example.org/' || $1 || '.jpg'
         where identifier = (select identifier from public.image order by md5(identifier::text || $1) desc limit 1)`,
        [String(this.changes)],
      ),
    );
    if (!this.random.chance(0.5)) return;
    await this.local.withApi((session) =>
      session.query(
        `insert into public.api_deletedimage (created_on, updated_on, identifier)
         select now(), now(), identifier from public.image order by md5(identifier::text || $1) limit 1 on conflict do nothing`,
        [String(this.changes)],
      ),
    );
  }

  /** I2, I11: rows and documents are of one generation, except for the moment of a promotion that was cut off. */
  private async expectConsistent(): Promise<void> {
    const last = await this.lastRun();
    if (last?.state === 'promoting') return;
    const { rows } = await this.local.withApi((session) =>
      session.query<{ id: number; url: string }>(
        'select id, url from public.image where not removed_from_source',
      ),
    );
    const documents = await this.local
      .documents(this.local.aliases.image)
      .catch(() => new Map<string, Record<string, unknown>>());
    const found = new Map([...documents].map(([id, document]) => [id, document['url']]));
    expect(found, this.story()).toEqual(new Map(rows.map((row) => [String(row.id), row.url])));
  }

  private async lastRun(): Promise<RunRow | null> {
    return (await readRuns(this.local).catch(() => [])).at(-1) ?? null;
  }

  private story(): string {
    return this.done.join('; ');
  }
}

function isOver({ state }: RunRow): boolean {
  return /succeeded|failed|refused|cancelled/.test(state);
}
