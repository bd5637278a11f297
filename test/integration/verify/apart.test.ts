import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { addApiActivity, fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';
import { Pauses } from '../../faults/setup/pauses.js';
import { listTold, type Verified } from './told.js';
import { refresh, verify } from './verified.js';

interface Row {
  readonly id: string;
  readonly identifier: string;
}

/** `freshet verify` beside those who change catalog, API database and what is live in the way that they should. */
describe('a comparison of everything, while others work', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'), { env: { FRESHET_TEST_PART_ROWS: '100' } });
    await local.writeFile('terms.txt', 'owl\n');
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 700, seed: 9 });
    await refresh(local, 'image');
    // Deletions and marks that the next refresh takes into account.
    await local.withApi((session) => addApiActivity(session, 1));
    await refresh(local, 'image', '--record-limit', 'none');
  });
  afterEach(() => local.endCommands());
  afterAll(() => local.drop());

  const api = (sql: string, values: unknown[] = []) => local.withApi((session) => session.query(sql, values));
  const catalog = (sql: string, values: unknown[] = []) =>
    local.withCatalog((session) => session.query(sql, values));

  /** Rows with a document, from the end of the table. */
  const chooseRows = async (count: number): Promise<Row[]> => {
    const { rows } = await api(
      `select id::text as id, identifier::text as identifier from public.image t
       where removed_from_source is not true and not exists (select from public.api_deletedimage d where d.identifier = t.identifier)
         and not exists (select from public.api_matureimage m where m.identifier = t.identifier)
         and not exists (select from public.imagelist_images l where l.image_id = t.id)
         and coalesce(meta_data ->> 'mature', 'false') <> 'true'
       order by id desc limit $1`,
      [count],
    );
    return rows as Row[];
  };
  const onBoth = async (id: string, method: 'DELETE' | 'POST', body?: object): Promise<void> => {
    for (const index of [local.aliases.image, `${local.aliases.image}-filtered`]) {
      const path = method === 'DELETE' ? `${index}/_doc/${id}` : `${index}/_update/${id}`;
      await local.search(path, { method, ...(body === undefined ? {} : { body }) });
    }
  };
  const listDeleted = (identifier: string) =>
    api(
      'insert into public.api_deletedimage (created_on, updated_on, identifier) values (now(), now(), $1)',
      [identifier],
    );
  const mark = (identifier: string) =>
    api('insert into public.api_matureimage (created_on, identifier) values (now(), $1)', [identifier]);

  it('lists changes of the catalog since the snapshot, and what the API deleted and marked since, apart', async () => {
    const [kept, searched, marked, markedOnly, updated, deleted] = (await chooseRows(6)) as [
      Row,
      Row,
      Row,
      Row,
      Row,
      Row,
    ];
    const before = await verify(local, 'image');
    expect(before.told.faults).toEqual([]);
    const { index, filteredIndex } = before.told;
    const filtered = filteredIndex ?? '';

    // As the API does it: list, row, documents. Then one of which each of these is missing still.
    await listDeleted(deleted.identifier);
    await api('delete from public.image where id = $1', [deleted.id]);
    await onBoth(deleted.id, 'DELETE');
    await listDeleted(kept.identifier);
    await onBoth(kept.id, 'DELETE');
    await listDeleted(searched.identifier);
    await api('delete from public.image where id = $1', [searched.id]);
    // Marked in the documents too, which is no difference; and not yet.
    await mark(marked.identifier);
    await onBoth(marked.id, 'POST', { doc: { mature: true } });
    await mark(markedOnly.identifier);
    const withdrawn = (
      await api(
        `delete from public.api_deletedimage where identifier =
         (select a.identifier from freshet.applied a join freshet.parts p on p.run_id = a.run_id and p.role = 'live'
          where a.relation = 'api_deletedimage' and not exists (select from public.image i where i.identifier = a.identifier) limit 1)
         returning identifier`,
      )
    ).rows as { identifier: string }[];
    await catalog(`update public.image set title = 'new', updated_on = now() where identifier = $1`, [
      updated.identifier,
    ]);
    await catalog(
      `insert into public.image select (jsonb_populate_record(null::public.image, to_jsonb(t) || jsonb_build_object(
         'identifier', '00000000-0000-4000-8000-000000000001', 'url', 'https://new.example.org', 'foreign_identifier', 'new',
         'created_on', now(), 'updated_on', now()))).* from public.image t where identifier = $1`,
      [updated.identifier],
    );
    await local.search(`${index},${filtered}/_refresh`, { method: 'POST' });

    const { told, status } = await verify(local, 'image');
    expect(told.faults).toEqual([]);
    expect(status).toBe(0);
    const known = new Set(listTold(before.told.expected));
    const hidden = (await local.documents(filtered)).has(markedOnly.id) ? filtered : null;
    expect(listTold(told.expected).filter((line) => !known.has(line))).toEqual(
      [
        `deletedByApi image ${deleted.identifier}`,
        `deletedByApi image ${searched.identifier}`,
        ...(
          await Promise.all(
            [index, filtered].map(async (name) =>
              (await local.documents(name)).has(searched.id)
                ? [`deletedDocumentKept ${name} ${searched.id}`]
                : [],
            ),
          )
        ).flat(),
        `deletedRowKept image ${kept.identifier}`,
        `markChanged ${index} ${markedOnly.id} mature`,
        ...(hidden === null ? [] : [`markChanged ${hidden} ${markedOnly.id} mature`]),
        `deletionWithdrawn image ${withdrawn[0]?.identifier}`,
        `changedInCatalog image ${updated.identifier} updated_on title`,
        'newInCatalog image 00000000-0000-4000-8000-000000000001',
      ].sort(),
    );
  });

  it('I11: takes no lock that a promotion waits for, notices one, and compares what is live then', async () => {
    const pauses = await Pauses.at(['verify.page']);
    const paused = local.spawn(['verify', 'local', 'image', '--json'], pauses.env);
    const outcome = outcomeOf(paused);
    await pauses.reach('verify.page');
    await refresh(local, 'image', '--record-limit', 'none');
    await pauses.release('verify.page');
    const { status, stdout, stderr } = await outcome;
    expect(stderr).toContain('local_image_data_refresh was promoted meanwhile');
    expect(status, stdout + stderr).toBe(0);
    const told = JSON.parse(stdout) as Verified;
    expect(told).toMatchObject({ equal: true, faults: [] });
    const live = await local.indexes();
    expect(live[told.index]).toContain(local.aliases.image);
  });

  it('says so where nothing is live', async () => {
    const { status, stderr } = await local.run(['verify', 'local', 'audio']);
    expect(status).toBe(1);
    expect(stderr).toContain('NOTHING_LIVE');
  });

  it('gives up when what is live changes for the third time', async () => {
    const filteredAlias = `${local.aliases.image}-filtered`;
    const names = Object.keys(await local.indexes()).filter((name) => name.endsWith('-filtered'));
    const move = async (): Promise<void> => {
      const [from = ''] = Object.keys(await local.search<object>(`_alias/${filteredAlias}`));
      const to = names.find((name) => name !== from) ?? '';
      const actions = [
        { remove: { index: from, alias: filteredAlias } },
        { add: { index: to, alias: filteredAlias } },
      ];
      await local.search('_aliases', { method: 'POST', body: { actions } });
    };
    const pauses = await Pauses.at(['verify.catalog']);
    const outcome = outcomeOf(local.spawn(['verify', 'local', 'image', '--json'], pauses.env));
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await pauses.reach('verify.catalog');
      await move();
      await pauses.hold('verify.live');
      await pauses.release('verify.catalog');
      await pauses.reach('verify.live');
      await pauses.hold('verify.catalog');
      await pauses.release('verify.live');
    }
    const { status, stdout, stderr } = await outcome;
    await move();
    expect(status, stdout + stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: 'PROMOTED_MEANWHILE',
        remedy: expect.stringContaining('freshet deploy-check local') as string,
      },
    });
  });

  it('ends on an interrupt with its status and leaves no session', async () => {
    const pauses = await Pauses.at(['verify.page']);
    const paused = local.spawn(['verify', 'local', 'image'], pauses.env);
    const outcome = outcomeOf(paused);
    await pauses.reach('verify.page');
    paused.kill('SIGINT');
    await pauses.release('verify.page');
    expect(await outcome).toMatchObject({ status: 130 });
    const { rows } = await api(
      `select pid from pg_stat_activity where application_name = 'freshet verify' and datname = current_database()`,
    );
    expect(rows).toEqual([]);
  });
});
