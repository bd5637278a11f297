import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { describeTable } from '../../../src/postgres/tableShape.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';

interface Planned {
  readonly runId: string | null;
  readonly tables: readonly { live: string; previous: string; additions: string[]; indexes: string[] }[];
  readonly views: readonly string[];
  readonly orphans: readonly { table: string; foreignKey: string; rows: number }[];
  readonly orphansMax: number;
  readonly parts: readonly { title: string; statements: string[] }[];
}

const image = { schema: 'public', name: 'image' };

/** `freshet plan`: before the first refresh, before a later one, and of a held run. */
describe('plan', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 120, seed: 4 });
  });
  afterAll(() => local.drop());

  const api = <T extends object>(sql: string): Promise<T[]> =>
    local.withApi(async (session) => (await session.query<T>(sql)).rows);
  const plan = async (): Promise<Planned> => {
    const { status, stdout, stderr } = await local.run(['plan', 'local', 'image', '--json']);
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Planned;
  };
  const refresh = async (...options: string[]): Promise<void> => {
    const { status, stderr } = await local.run(['refresh', 'local', 'image', ...options]);
    expect([status, stderr]).toEqual([0, '']);
  };

  it('says what is added and counts what would be put aside, though a reader holds its locks, and changes nothing', async () => {
    expect(await plan()).toMatchObject({
      runId: null,
      tables: [{ live: 'public.image', additions: ['standardized_popularity'] }],
    });
    await refresh();
    // Of the first records two rows each in a list; then the catalog loses three records, and a fourth is deleted by the API.
    await api(`create table public.picked (id serial primary key, image_id uuid references public.image (identifier));
      create view public.titles as select id, title from public.image;
      insert into public.picked (image_id) select identifier from public.image, generate_series(1, 2) where id <= 20;
      insert into public.picked (image_id) values (null)`);
    const gone = await api<{ identifier: string }>('select identifier from public.image where id <= 3');
    await local.withCatalog((session) =>
      session.query('delete from public.image where identifier = any($1)', [
        gone.map(({ identifier }) => identifier),
      ]),
    );
    await api(
      'insert into public.api_deletedimage (created_on, updated_on, identifier) select now(), now(), identifier from public.image where id = 7',
    );
    const before = await local.withApi((session) => describeTable(session, image));
    const reader = await local.openApi();
    try {
      await reader.query('begin; lock table public.image in access share mode');
      const planned = await plan();
      expect(planned).toMatchObject({
        runId: null,
        tables: [{ live: 'public.image', additions: [] }],
        views: ['public.titles'],
        orphans: expect.arrayContaining([
          { table: 'public.picked', foreignKey: 'picked_image_id_fkey', target: 'public.image', rows: 8 },
        ]) as unknown,
      });
      const text = await local.run(['plan', 'local', 'image']);
      expect(text.stdout).toContain(
        'public.picked (picked_image_id_fkey): 8 rows refer to records that vanish',
      );
    } finally {
      await reader.end();
    }
    expect(await local.withApi((session) => describeTable(session, image))).toEqual(before);
    expect(await api(`select relname from pg_class where relname ~ 'import_image|rehearsal'`)).toEqual([]);
  });

  it('of a held run has the statements of its swap: carried out by hand they make the finished table what the live one was', async () => {
    const beforehand = await plan();
    await refresh('--hold');
    const planned = await plan();
    expect(planned.runId).not.toBeNull();
    // What was told beforehand was right, but for names that have the run's digest, and for the next id.
    const withoutNames = ({ parts }: Planned): string[] =>
      parts
        .flatMap(({ statements }) => statements)
        .map((statement) =>
          statement.replaceAll(/_[0-9a-f]{8}(?![0-9a-f])/g, '_run').replaceAll(/\d+(?=::int8)/g, 'id'),
        );
    expect(withoutNames(beforehand).filter((statement) => !/setval/.test(statement))).toEqual(
      withoutNames(planned).filter((statement) => !/setval/.test(statement)),
    );
    expect(planned.orphans).toEqual(beforehand.orphans);

    const script = (await local.run(['plan', 'local', 'image', '--sql'])).stdout;
    const untilCommit = script.slice(0, script.indexOf('\ncommit;'));
    const session = await local.openApi();
    try {
      const before = await describeTable(session, image);
      const { rows } = await session.query<{ oid: number }>(
        `select 'public.temp_import_image'::regclass::oid as oid`,
      );
      await session.query(untilCommit);
      const after = await describeTable(session, image);
      expect(after.oid).toBe(rows[0]?.oid);
      const comparable = ({
        indexes,
        checks,
        columns,
        grants,
        views,
        inboundKeys,
      }: typeof after): unknown => ({
        indexes: indexes.map(({ name, definition }) => [name, definition]),
        checks: checks.map(({ name }) => name),
        columns: columns.map(({ name, type, defaultExpression }) => [name, type, defaultExpression]),
        grants,
        views: views.map(({ name, definition }) => [name, definition]),
        inboundKeys: inboundKeys.map(({ name, definition }) => [name, definition]),
      });
      expect(comparable(after)).toEqual(comparable(before));
      await session.query('rollback');
    } finally {
      await session.end();
    }
    const promoted = await local.run(['promote', planned.runId ?? '']);
    expect([promoted.status, promoted.stderr]).toEqual([0, '']);
    const [kept] = await api<{ rows: string }>(`select (select count(*) from public.picked)::text as rows`);
    expect(kept?.rows).toBe('33');
  });
});
