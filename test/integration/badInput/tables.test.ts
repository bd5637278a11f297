import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { withSession } from '../../../src/postgres/session.js';
import { explainDatabaseFault } from '../../../src/postgres/faults.js';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { expectError, expectUntouched, footprintOf, type ExpectedError } from './untouched.js';

interface BadTables extends ExpectedError {
  readonly catalog?: string;
  readonly api?: string;
  readonly undoCatalog?: string;
  readonly undoApi?: string;
}

/** The catalog's table with other rows; its own waits beside it. */
const otherRows = (rows: string): Pick<BadTables, 'catalog' | 'undoCatalog'> => ({
  catalog: `alter table public.image rename to image_kept; create table public.image as ${rows}`,
  undoCatalog: 'drop table public.image; alter table public.image_kept rename to image',
});

const allColumns = 'select * from public.image_kept';
/** One more row: a copy of the first one with other values. */
const oneMore = (changes: Readonly<Record<string, string | null>>): string =>
  `${allColumns}; insert into public.image select (jsonb_populate_record(i, '${JSON.stringify(changes)}')).* from public.image i order by identifier limit 1`;

const otherIdentifier = '11111111-2222-3333-4444-555555555555';

const newRecords = (count: number): string =>
  `insert into public.image (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source)
   select gen_random_uuid(), now(), now(), 'met', 'met', 'new-' || n, 'https://new.example.org/' || n || '.jpg', 'by', false from generate_series(1, ${count}) n`;

const failing = `create function public.fill_disk(text) returns text language plpgsql immutable as $$
  begin
    if current_setting('application_name') like 'freshet%' then
      raise exception using errcode = '53100', message = 'could not extend file "base/5/1": No space left on device';
    end if;
    return $1;
  end $$`;

const cases: Record<string, BadTables> = {
  "a catalog without the media type's table is named": {
    catalog: 'alter table public.image rename to image_gone',
    undoCatalog: 'alter table public.image_gone rename to image',
    status: 2,
    code: 'TABLE_MISSING',
    says: /There is no table or view image in the catalog/,
  },
  "an API database without the media type's table is named": {
    api: 'alter table public.image rename to image_gone',
    undoApi: 'alter table public.image_gone rename to image',
    status: 2,
    code: 'TABLE_MISSING',
    says: /There is no table public\.image in the API database/,
  },
  'a missing list of deleted records is named': {
    api: 'alter table public.api_deletedimage rename to api_deletedimage_gone',
    undoApi: 'alter table public.api_deletedimage_gone rename to api_deletedimage',
    status: 2,
    code: 'TABLE_MISSING',
    says: /api_deletedimage in the API database/,
  },
  'a missing column of the catalog is named': {
    catalog: 'alter table public.image rename column identifier to identity',
    undoCatalog: 'alter table public.image rename column identity to identifier',
    status: 2,
    code: 'COLUMN_MISSING',
    says: /image in the catalog has no column identifier/,
  },
  'a missing column of the API database is named': {
    api: 'alter table public.image rename column tags to labels',
    undoApi: 'alter table public.image rename column labels to tags',
    status: 2,
    code: 'COLUMN_MISSING',
    says: /image in the API database has no column tags/,
  },
  'a materialized view that reads the live table is refused by name': {
    api: 'create materialized view public.image_counts as select source, count(*) from public.image group by 1',
    undoApi: 'drop materialized view public.image_counts',
    status: 2,
    code: 'TABLE_FEATURE_UNSUPPORTED',
    says: /materialized view (public\.)?image_counts, which reads public\.image/,
  },
  'a table of somebody else under the name of the temp table is kept, and named': {
    api: 'create table public.temp_import_image (precious text)',
    undoApi: 'drop table public.temp_import_image',
    status: 2,
    code: 'LEFTOVER_FOREIGN',
    says: /public\.temp_import_image is in the way: it has no mark/,
  },
  'a catalog without records is refused': {
    ...otherRows(`${allColumns} limit 0`),
    status: 2,
    code: 'EMPTY_CATALOG',
    says: /image in the catalog has no rows/,
  },
  'D19: a key that the catalog has twice is named': {
    ...otherRows(oneMore({ url: 'https://twice.example.org' })),
    status: 2,
    code: 'DUPLICATE_KEYS',
    says: /Several rows of image in the catalog have the same key: "[0-9a-f-]{36}"/,
  },
  'D19: a unique value that two records have is named with both, and their copy is gone': {
    ...otherRows(oneMore({ identifier: otherIdentifier, foreign_identifier: 'another' })),
    status: 2,
    code: 'DUPLICATE_KEYS',
    says: /image_url\S* cannot be unique: \[.*\] in 2 rows \(.*11111111-2222-3333-4444-555555555555/,
  },
  'a record without its key is counted': {
    ...otherRows(oneMore({ identifier: null, url: 'https://none.example.org' })),
    status: 2,
    code: 'NULL_KEYS',
    says: /1 rows of image in the catalog have no identifier/,
  },
  'a value that the live table would not take is named with its record': {
    ...otherRows(
      oneMore({
        identifier: otherIdentifier,
        foreign_identifier: 'another',
        url: 'https://a.example.org',
        license: null,
      }),
    ),
    status: 2,
    code: 'COPY_VALUE_REFUSED',
    says: /refused the license of the record 11111111-2222-3333-4444-555555555555/,
  },
  'D13: a sequence near its maximum, far ahead of the ids in use: the error offers to reset it or to renumber':
    {
      catalog: newRecords(20),
      undoCatalog: `delete from public.image where url like 'https://new.example.org/%'`,
      api: `select setval('public.image_id_seq', 2147483640)`,
      undoApi: `select setval('public.image_id_seq', (select max(id) from public.image))`,
      status: 2,
      code: 'SEQUENCE_EXHAUSTED',
      says: /20 new records would need ids 2147483641 to 2147483660[\s\S]*reset the sequence \(select setval\('"public"\."image_id_seq"', \d+\);\)\. Else renumber/,
    },
  'D13: ids in use near the maximum: the error offers to renumber or to widen the column': {
    catalog: newRecords(20),
    undoCatalog: `delete from public.image where url like 'https://new.example.org/%'`,
    api: `update public.image set id = 2147483640 where id = (select max(id) from public.image)`,
    undoApi: `update public.image set id = (select max(id) + 1 from public.image where id < 2147483640) where id = 2147483640`,
    status: 2,
    code: 'SEQUENCE_EXHAUSTED',
    says: /→ Renumber the records, or change the id column.* to bigint/,
  },
  'a disk of the API database that fills up during the copy is named, and the copy is gone': {
    api: `${failing}; alter table public.image add column filler text; alter table public.image alter column filler set default public.fill_disk('')`,
    undoApi: 'alter table public.image drop column filler; drop function public.fill_disk',
    status: 1,
    code: 'NO_SPACE',
    says: /The API database has no space left: could not extend file/,
  },
};

describe('tables and records that cannot be refreshed: the error says so and nothing is changed', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    expect((await local.run(['refresh', 'local', 'image', '--index-suffix', 'live'])).status).toBe(0);
  });
  afterAll(() => local.drop());

  const onCatalog = (sql = '') => local.withCatalog((session) => session.query(sql));
  const onApi = (sql = '') => local.withApi((session) => session.query(sql));

  it.each(Object.entries(cases))('%s', async (_claim, bad) => {
    await onCatalog(bad.catalog);
    await onApi(bad.api);
    try {
      const before = await footprintOf(local);
      expectError(await local.run(['refresh', 'local', 'image']), bad);
      await expectUntouched(local, before);
    } finally {
      await onCatalog(bad.undoCatalog);
      await onApi(bad.undoApi);
    }
  });

  it('--json prints exactly one object on stdout, whether a run is refused or none is begun', async () => {
    await onCatalog('alter table public.image rename to image_gone');
    const refused = await local.run(['refresh', 'local', 'image', '--json']);
    await onCatalog('alter table public.image_gone rename to image');
    expect(refused.status).toBe(2);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      run: { state: 'refused', error: { code: 'TABLE_MISSING', phase: 'preflight' } },
    });
    expect(refused.stdout.trim().split('\n')).toHaveLength(1);
    const unknown = await local.run(['refresh', 'local', 'image', '--jsn', '--json']);
    expect(unknown.status).toBe(64);
    expect(JSON.parse(unknown.stdout)).toMatchObject({
      error: { code: 'USAGE', message: "unknown option '--jsn' (Did you mean --json?)" },
    });
  });

  it('a disk that fills up while indexes are built ends the run with everything live as it was; the next run removes what is left', async () => {
    await onApi(`${failing}; create index image_filled on public.image (public.fill_disk(url))`);
    const rows = () => onApi('select id, identifier, url from public.image order by id');
    const before = (await rows()).rows;
    const indexes = await local.indexes();
    expectError(await local.run(['refresh', 'local', 'image', '--index-suffix', 'full']), {
      status: 1,
      code: 'NO_SPACE',
      says: /failed in constraints: The API database has no space left/,
    });
    expect((await rows()).rows).toEqual(before);
    expect(await local.indexes()).toMatchObject(indexes);
    await onApi('drop index public.image_filled; drop function public.fill_disk');
    expect((await local.run(['refresh', 'local', 'image', '--index-suffix', 'next'])).status).toBe(0);
    const names = Object.keys(await local.indexes()).sort();
    const image = local.aliases.image;
    expect(names).toEqual(
      ['live', 'live-filtered', 'next', 'next-filtered'].map((suffix) => `${image}-${suffix}`),
    );
    const { rows: temps } = await onApi(`select from pg_class where relname like 'temp_import_%'`);
    expect(temps).toHaveLength(0);
  });

  it('a limit of the server on temporary files is no space as well, and the database is named', async () => {
    const work = withSession(local.api.url, { applicationName: 'test', called: 'API database' }, (session) =>
      session.query(`set temp_file_limit = 64; set work_mem = '64kB';
          select count(*) from (select n from generate_series(1, 100000) n order by md5(n::text)) sorted`),
    );
    const error = await work.catch(explainDatabaseFault);
    expect(error).toMatchObject({
      code: 'NO_SPACE',
      message: expect.stringMatching(/^The API database has no space left: .*temp_file_limit/) as unknown,
    });
  });
});
