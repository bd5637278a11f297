import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';

interface Row {
  readonly id: number;
  readonly identifier: string;
  readonly url: string;
}

/** Killed at every failpoint: `test/crash`. */
describe('a refresh whose process or worker is killed', () => {
  let local: LocalEnvironment;
  let round = 0;

  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 11 });
    const first = await local.run(['refresh', 'local', 'image']);
    expect(first.stderr).toBe('');
    expect(first.status).toBe(0);
  });
  afterAll(() => local.drop());

  const liveRows = async (): Promise<Row[]> => {
    const { rows } = await local.withApi((session) =>
      session.query<Row>('select id, identifier, url from public.image order by id'),
    );
    return rows;
  };

  /** Each round has other records to refresh to: one goes, one changes, one comes. */
  const changeCatalog = async (): Promise<void> => {
    round += 1;
    await local.withCatalog((session) =>
      session.query(
        `delete from public.image where identifier = (select min(identifier::text)::uuid from public.image);
         update public.image set url = 'https://changed.example.org/${round}.jpg'
           where identifier = (select max(identifier::text)::uuid from public.image);
         insert into public.image (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source)
           values (gen_random_uuid(), now(), now(), 'met', 'met', 'round-${round}', 'https://new.example.org/${round}.jpg', 'by', false)`,
      ),
    );
  };

  const kill = async (failpoint: string): Promise<void> => {
    const child = local.spawn(['refresh', 'local', 'image'], { FRESHET_FAILPOINT: failpoint });
    child.stdout?.resume();
    child.stderr?.resume();
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal, `the process was to be killed at ${failpoint}`).toBe('SIGKILL');
  };

  /** What the specification asks of a finished refresh, read from catalog, tables and index themselves. */
  const expectCatalogIsLive = async (): Promise<void> => {
    const { rows: catalog } = await local.withCatalog((session) =>
      session.query<{ identifier: string; url: string; removed: boolean }>(
        'select identifier, url, removed_from_source as removed from public.image',
      ),
    );
    const rows = await liveRows();
    const wanted = new Map(catalog.map((row) => [row.identifier, row.url]));
    expect(new Map(rows.map((row) => [row.identifier, row.url]))).toEqual(wanted);
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
    const removed = new Set(catalog.filter((row) => row.removed).map((row) => row.identifier));
    const documents = await local.documents(local.aliases.image);
    const eligible = rows.filter((row) => !removed.has(row.identifier));
    const found = new Map(
      [...documents].map(([id, document]) => [id, [document['identifier'], document['url']]]),
    );
    expect(found).toEqual(new Map(eligible.map((row) => [String(row.id), [row.identifier, row.url]])));
  };

  const expectNoLeftovers = async (): Promise<void> => {
    const { rows: temp } = await local.withApi((session) =>
      session.query(`select oid from pg_class where relname like 'temp_import%'`),
    );
    expect(temp).toEqual([]);
    expect(Object.keys(await local.indexes()).length).toBe(4);
    const { rows: leases } = await local.withState((session) =>
      session.query('select * from freshet.leases'),
    );
    expect(leases).toEqual([]);
    const { rows: open } = await local.withState((session) =>
      session.query('select id from freshet.runs where finished_at is null'),
    );
    expect(open).toEqual([]);
  };

  const resume = async (): Promise<void> => {
    const outcome = await local.run(['refresh', 'local', 'image']);
    expect(outcome.stderr).toContain('resuming');
    expect(outcome.status).toBe(0);
    await expectCatalogIsLive();
    await expectNoLeftovers();
  };

  it('I2: a promotion that was given up between tables and aliases is finished by the next run, before anything else', async () => {
    await changeCatalog();
    await kill('promote.tablesSwapped');
    const rows = await liveRows();
    // What a run leaves that gave up after half a day of a cluster that was down.
    const { rows: given } = await local.withState((session) =>
      session.query<{ id: string }>(
        `with ended as (update freshet.runs set state = 'failed', finished_at = now() where finished_at is null returning id),
           freed as (delete from freshet.leases),
           over as (update dbos.workflow_status set status = 'ERROR' where workflow_uuid in (select id from ended))
         select id from ended`,
      ),
    );
    await changeCatalog();
    const outcome = await local.run(['refresh', 'local', 'image'], {
      FRESHET_FAILPOINT: 'copy.beforeCommit',
    });
    expect(outcome.signal).toBe('SIGKILL');
    // The next run died in its copy, but tables and aliases are of one generation by now.
    expect(await liveRows()).toEqual(rows);
    const identifiers = [...(await local.documents(local.aliases.image)).values()].map(
      (document) => document['identifier'],
    );
    const missing = new Set(rows.map((row) => row.identifier)).size - new Set(identifiers).size;
    const { rows: removed } = await local.withApi((session) =>
      session.query('select 1 from public.image where removed_from_source'),
    );
    expect(missing).toBe(removed.length);
    expect(given.length).toBe(1);
    await resume();
  });

  it('D8: a worker that is killed costs its slice, which its replacement indexes', async () => {
    await changeCatalog();
    const child = local.spawn(['refresh', 'local', 'image', '--json']);
    const ended = outcomeOf(child);
    const pid = await waitForWorker();
    process.kill(pid, 'SIGKILL');
    expect((await ended).status).toBe(0);
    const { rows } = await local.withState((session) =>
      session.query<{ message: string }>(`select message from freshet.events where kind = 'worker.lost'`),
    );
    expect(rows.length).toBe(1);
    await expectCatalogIsLive();
    await expectNoLeftovers();
  });

  it('workers that die again and again fail the run, with nothing changed and the next run unhindered', async () => {
    const rows = await liveRows();
    await changeCatalog();
    const outcome = await local.run(['refresh', 'local', 'image'], { FRESHET_FAILPOINT: 'worker.rows' });
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain('SLICE_FAILED');
    expect(await liveRows()).toEqual(rows);
    const again = await local.run(['refresh', 'local', 'image']);
    expect(again.status).toBe(0);
    await expectCatalogIsLive();
    await expectNoLeftovers();
  });

  const waitForWorker = async (): Promise<number> => {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      const { rows } = await local.withState((session) =>
        session.query<{ pid: number }>(
          `select w.pid from freshet.workers w join freshet.runs r on r.id = w.run_id
           where w.state = 'ready' and r.finished_at is null`,
        ),
      );
      if (rows[0] !== undefined) return rows[0].pid;
    }
    throw new Error('no worker became ready');
  };
});
