import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';

/** A small sample with awkward cases, refreshed by the real command with a real worker process. */
describe('freshet refresh', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
  });
  afterEach(() => local.drop());

  const fill = (media: 'image' | 'audio', records: number) =>
    fillCatalog({ catalogUrl: local.catalog.url, media, records, seed: 7 });

  const idsByIdentifier = async (): Promise<Map<string, number>> => {
    const { rows } = await local.withApi((session) =>
      session.query<{ identifier: string; id: number }>('select identifier, id from public.image'),
    );
    return new Map(rows.map((row) => [row.identifier, row.id]));
  };

  it('replaces tables and indexes and says so with exit status 0', async () => {
    await fill('image', 700);
    const outcome = await local.run(['refresh', 'local', 'image', '--json', '--index-suffix', 'one']);
    expect(outcome.stderr).not.toContain('error');
    expect(outcome.status).toBe(0);
    const { run, checks } = JSON.parse(outcome.stdout) as {
      run: { state: string };
      checks: { passed: boolean }[];
    };
    expect(run.state).toBe('succeeded');
    expect(checks.length).toBeGreaterThan(10);
    const indexes = await local.indexes();
    expect(indexes).toEqual({
      [`${local.aliases.image}-one`]: [local.aliases.image],
      [`${local.aliases.image}-one-filtered`]: [`${local.aliases.image}-filtered`],
    });
    const documents = await local.documents(local.aliases.image);
    const { rows } = await local.withApi((session) =>
      session.query<{ id: number }>('select id from public.image where not removed_from_source'),
    );
    expect([...documents.keys()].sort()).toEqual(rows.map((row) => String(row.id)).sort());
  });

  it('D13, D14: two refreshes in a row keep every known id, and a list still holds the same media', async () => {
    await fill('image', 600);
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const before = await idsByIdentifier();
    const [identifier, id] = [...before][3] ?? ['', 0];
    await local.withApi((session) =>
      session.query(
        `with list as (insert into public.imagelist (created_on, updated_on, title, slug, auth) values (now(), now(), 't', 's', 'a') returning id)
         insert into public.imagelist_images (imagelist_id, image_id) select id, ${id} from list`,
      ),
    );
    await local.withCatalog((session) =>
      session.query(
        `delete from public.image where identifier = (select identifier from public.image where identifier <> '${identifier}' limit 1)`,
      ),
    );
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const after = await idsByIdentifier();
    for (const [known, knownId] of after) expect(knownId).toBe(before.get(known));
    const { rows } = await local.withApi((session) =>
      session.query<{ identifier: string }>(
        'select i.identifier from public.imagelist_images l join public.image i on i.id = l.image_id',
      ),
    );
    expect(rows).toEqual([{ identifier }]);
    const { rows: sequence } = await local.withApi((session) =>
      session.query<{ last_value: string }>('select last_value from public.image_id_seq'),
    );
    expect(Number(sequence[0]?.last_value)).toBeLessThanOrEqual(601);
  });

  it('keeps one previous generation of tables and indexes and removes the one before', async () => {
    await fill('image', 500);
    for (const suffix of ['a', 'b', 'c']) {
      expect((await local.run(['refresh', 'local', 'image', '--index-suffix', suffix])).status).toBe(0);
    }
    const names = Object.keys(await local.indexes()).sort();
    const { image } = local.aliases;
    expect(names).toEqual([`${image}-b`, `${image}-b-filtered`, `${image}-c`, `${image}-c-filtered`]);
    const { rows } = await local.withApi((session) =>
      session.query<{ name: string }>(
        `select relname as name from pg_class where relkind = 'r' and relname like 'freshet_previous_image%'`,
      ),
    );
    expect(rows.length).toBe(1);
  });

  it('audio and audioset go live together, the set position arrives (D16), and the popularity column is added (D15)', async () => {
    await fill('audio', 600);
    const outcome = await local.run(['refresh', 'local', 'audio']);
    expect(outcome.stderr).toBe('');
    expect(outcome.status).toBe(0);
    const { rows } = await local.withApi((session) =>
      session.query<{ positions: string; popular: string; sets: string }>(
        `select count(audio_set_position) as positions, count(standardized_popularity) as popular,
           (select count(*) from public.audioset) as sets from public.audio`,
      ),
    );
    expect(Number(rows[0]?.positions)).toBeGreaterThan(10);
    expect(Number(rows[0]?.popular)).toBeGreaterThan(10);
    expect(Number(rows[0]?.sets)).toBeGreaterThan(10);
  });

  it('skips the copy when asked to: the indexes are rebuilt from the live table, which stays the very same', async () => {
    await fill('image', 500);
    expect((await local.run(['refresh', 'local', 'image', '--index-suffix', 'a'])).status).toBe(0);
    const oid = () =>
      local.withApi(async (session) => {
        const { rows } = await session.query<{ oid: string }>(
          `select 'public.image'::regclass::oid::text as oid`,
        );
        return rows[0]?.oid;
      });
    const before = await oid();
    const documents = await local.documents(local.aliases.image);
    const outcome = await local.run(['refresh', 'local', 'image', '--skip-copy-data', '--index-suffix', 'b']);
    expect(outcome.status).toBe(0);
    expect(await oid()).toBe(before);
    expect(await local.documents(local.aliases.image)).toEqual(documents);
    expect((await local.indexes())[`${local.aliases.image}-b`]).toEqual([local.aliases.image]);
  });

  it('takes into account what API writers delete and mark while it runs, and withdraws marks that were withdrawn', async () => {
    await fill('image', 500);
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const [first, second, third] = [...(await local.documents(local.aliases.image)).values()];
    await local.withApi((session) =>
      session.query(
        `insert into public.api_matureimage (identifier, created_on) values ('${String(third?.['identifier'])}', now())`,
      ),
    );
    // The run stands still between copy and index while the writers act.
    const held = local.spawn(['refresh', 'local', 'image'], { FRESHET_FAILPOINT: 'keys.after' });
    await new Promise((resolve) => held.once('exit', resolve));
    await local.withApi((session) =>
      session.query(
        `insert into public.api_deletedimage (identifier, created_on, updated_on) values ('${String(first?.['identifier'])}', now(), now());
         insert into public.api_matureimage (identifier, created_on) values ('${String(second?.['identifier'])}', now());
         delete from public.api_matureimage where identifier = '${String(third?.['identifier'])}'`,
      ),
    );
    const outcome = await local.run(['refresh', 'local', 'image']);
    expect(outcome.status).toBe(0);
    const documents = await local.documents(local.aliases.image);
    const byIdentifier = new Map(
      [...documents.values()].map((document) => [document['identifier'], document]),
    );
    expect(byIdentifier.has(first?.['identifier'])).toBe(false);
    expect(byIdentifier.get(second?.['identifier'])?.['mature']).toBe(true);
    expect(byIdentifier.get(third?.['identifier'])?.['mature']).toBe(third?.['mature'] ?? false);
  });
});
