import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';

/**
 * What API writers do while a run goes on, the way the API does it: a deletion takes the row out of the live table and the document out of both
 * aliases, and is listed; a mark is listed and written to both aliases. The run stands still (killed at a failpoint) while they act.
 */
describe('API writers during a run', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'), { env: { FRESHET_SENSITIVE_TERMS: '' } });
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 520, seed: 3 });
    await local.writeFile('terms.txt', 'lighthouse\n');
  });
  afterEach(() => local.drop());

  const terms = () => ({ FRESHET_SENSITIVE_TERMS: `${local.folder}/terms.txt` });
  const refresh = (...more: string[]) => local.run(['refresh', 'local', 'image', ...more], terms());

  const holdAt = async (args: readonly string[], failpoint: string): Promise<void> => {
    const held = local.spawn(args, { ...terms(), FRESHET_FAILPOINT: failpoint });
    held.stdout?.resume();
    held.stderr?.resume();
    const [, signal] = (await once(held, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
  };

  interface LiveDocument {
    readonly id: string;
    readonly identifier: string;
  }

  const liveDocuments = async (): Promise<LiveDocument[]> =>
    [...(await local.documents(local.aliases.image))].map(([id, document]) => ({
      id,
      identifier: String(document['identifier']),
    }));

  /** The API deletes a record. */
  const deleteRecord = async ({ id, identifier }: LiveDocument): Promise<void> => {
    await local.withApi((session) =>
      session.query(
        `begin; delete from public.image where identifier = '${identifier}';
         insert into public.api_deletedimage (identifier, created_on, updated_on) values ('${identifier}', now(), now()); commit`,
      ),
    );
    for (const alias of [local.aliases.image, `${local.aliases.image}-filtered`]) {
      await local.search(`${alias}/_doc/${id}?refresh=true`, { method: 'DELETE' });
    }
  };

  /** The API's moderators list a record as deleted without taking it out of the lists that refer to it. */
  const listAsDeleted = (identifier: string): Promise<unknown> =>
    local.withApi((session) =>
      session.query(
        `insert into public.api_deletedimage (identifier, created_on, updated_on) values ('${identifier}', now(), now())`,
      ),
    );

  const putIntoList = (id: string): Promise<unknown> =>
    local.withApi((session) =>
      session.query(
        `with list as (insert into public.imagelist (created_on, updated_on, title, slug, auth) values (now(), now(), 't', 's', 'a') returning id)
         insert into public.imagelist_images (imagelist_id, image_id) select id, ${id} from list`,
      ),
    );

  const expectGone = async ({ id, identifier }: LiveDocument): Promise<void> => {
    for (const alias of [local.aliases.image, `${local.aliases.image}-filtered`]) {
      const documents = [...(await local.documents(alias)).values()];
      expect(documents.some((document) => document['identifier'] === identifier)).toBe(false);
    }
    const { rows } = await local.withApi((session) =>
      session.query(`select id from public.image where identifier = '${identifier}' or id = ${id}`),
    );
    expect(rows).toEqual([]);
  };

  const refusals = async (): Promise<unknown[]> => {
    const { rows } = await local.withState((session) =>
      session.query<{ error: unknown }>(`select error from freshet.runs where state <> 'succeeded'`),
    );
    return rows;
  };

  it('a record deleted by the API between the last reconcile and the swap, still in a list, goes with its list row kept aside', async () => {
    expect((await refresh()).status).toBe(0);
    const [record] = await liveDocuments();
    if (record === undefined) throw new Error('no document');
    await putIntoList(record.id);
    await holdAt(['refresh', 'local', 'image'], 'promote.before');
    await listAsDeleted(record.identifier);
    expect((await refresh()).status).toBe(0);
    await expectGone(record);
    const { rows } = await local.withApi((session) =>
      session.query<{ dangling: string; valid: boolean }>(
        `select (select count(*) from public.imagelist_images) as dangling,
           (select bool_and(convalidated) from pg_constraint where contype = 'f' and confrelid = 'public.image'::regclass) as valid`,
      ),
    );
    expect(rows).toEqual([{ dangling: '0', valid: true }]);
    expect(await refusals()).toEqual([]);
  });

  it.each(['swap.afterCommit', 'promote.aliasesMoved'])(
    'a record deleted by the API at %s is in neither index afterwards',
    async (failpoint) => {
      expect((await refresh()).status).toBe(0);
      const [record] = await liveDocuments();
      if (record === undefined) throw new Error('no document');
      await holdAt(['refresh', 'local', 'image'], failpoint);
      await deleteRecord(record);
      expect((await refresh()).status).toBe(0);
      await expectGone(record);
      expect(await refusals()).toEqual([]);
    },
  );

  it('a record listed as deleted after the swap that a list still refers to: its document goes, its row stays, the run succeeds', async () => {
    expect((await refresh()).status).toBe(0);
    const [record] = await liveDocuments();
    if (record === undefined) throw new Error('no document');
    await putIntoList(record.id);
    await holdAt(['refresh', 'local', 'image'], 'promote.aliasesMoved');
    await listAsDeleted(record.identifier);
    expect((await refresh()).status).toBe(0);
    const identifiers = (await liveDocuments()).map((document) => document.identifier);
    expect(identifiers).not.toContain(record.identifier);
    const { rows } = await local.withApi((session) =>
      session.query(`select 1 from public.image where identifier = '${record.identifier}'`),
    );
    expect(rows.length).toBe(1);
    expect(await refusals()).toEqual([]);
  });

  it('a run that does not copy leaves live table and live index alone before its promotion, and is not refused for what writers delete', async () => {
    expect((await refresh()).status).toBe(0);
    const [record, other] = await liveDocuments();
    if (record === undefined || other === undefined) throw new Error('no documents');
    await holdAt(['refresh', 'local', 'image', '--skip-copy-data'], 'promote.before');
    await deleteRecord(record);
    await listAsDeleted(other.identifier);
    expect((await refresh()).status).toBe(0);
    await expectGone(record);
    const { rows } = await local.withApi((session) =>
      session.query(`select 1 from public.image where identifier = '${other.identifier}'`),
    );
    expect(rows.length).toBe(1);
    expect((await liveDocuments()).map((document) => document.identifier)).not.toContain(other.identifier);
    expect(await refusals()).toEqual([]);
  });

  it('the filtered index is rebuilt alone, hides what the terms say, and lacks what the API deleted meanwhile', async () => {
    expect((await local.run(['refresh', 'local', 'image'])).status).toBe(0);
    const filtered = `${local.aliases.image}-filtered`;
    const before = await local.documents(filtered);
    const hidden = [...before.values()].filter((document) =>
      /\blighthouse\b/i.test(String(document['title'])),
    );
    expect(hidden.length).toBeGreaterThan(0);
    const [record] = (await liveDocuments()).filter((document) => before.has(document.id));
    if (record === undefined) throw new Error('no document');
    await holdAt(['filtered-index', 'local', 'image', '--destination-suffix', 'alone'], 'promote.before');
    await deleteRecord(record);
    const outcome = await local.run(['filtered-index', 'local', 'image'], terms());
    expect(outcome.stderr).toContain('resuming');
    expect(outcome.status).toBe(0);
    const after = await local.documents(filtered);
    expect([...after.values()].some((document) => /\blighthouse\b/i.test(String(document['title'])))).toBe(
      false,
    );
    await expectGone(record);
    expect((await local.indexes())[`${local.aliases.image}-alone-filtered`]).toEqual([filtered]);
    expect(await refusals()).toEqual([]);
  });
});
