import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { buildConfig } from '../../../src/config/load.js';
import { openverse } from '../../../src/config/presets/openverse.js';
import type { Config } from '../../../src/config/types.js';
import { ensureMarks } from '../../../src/postgres/marks.js';
import { quoteIdentifier } from '../../../src/postgres/identifiers.js';
import { withSession } from '../../../src/postgres/session.js';
import { runDoctor, type DoctorUrls, type Finding } from '../../../src/refresh/doctor.js';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';
import { withMark } from '../../../src/search/mark.js';
import { openState } from '../../../src/state/state.js';
import { createDatabase, uniqueName, type TestDatabase } from '../../setup/databases.js';
import { apiTables, catalogTables } from './imageTables.js';

const parts = inject('parts');
let catalog: TestDatabase;
let api: TestDatabase;
let state: TestDatabase;
let urls: DoctorUrls;
let alias: string;
let client: SearchClient;
let undo: (() => Promise<unknown>)[];

beforeEach(async () => {
  catalog = await createDatabase(parts.catalogUrl);
  api = await createDatabase(parts.apiUrl);
  state = await createDatabase(parts.apiUrl);
  urls = { catalogUrl: catalog.url, apiUrl: api.url, stateUrl: state.url, searchUrls: [parts.searchUrl] };
  alias = uniqueName('doctor');
  client = openSearchClient(urls.searchUrls);
  undo = [];
  await run(catalog.url, catalogTables);
  await run(api.url, apiTables);
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
  await client.close();
  await Promise.all([catalog.drop(), api.drop(), state.drop()]);
});

async function run(url: string, statement: string): Promise<void> {
  await withSession(url, { applicationName: 'test', called: 'test database' }, (session) =>
    session.query(statement),
  );
}

/** Only images, under aliases of this test. */
async function buildImageConfig(local: object = {}): Promise<Config> {
  const { image } = openverse().media;
  if (image === undefined) throw new Error('the preset has no images');
  const index = { ...image.index, alias, filteredAlias: `${alias}-filtered` };
  const input = { environments: { local }, media: { image: { ...image, index } } };
  return buildConfig(input, {
    env: {
      FRESHET_CATALOG_URL: catalog.url,
      FRESHET_API_URL: api.url,
      FRESHET_STATE_URL: state.url,
      FRESHET_SEARCH_URL: parts.searchUrl,
    },
    file: null,
    folder: '/tmp',
  });
}

async function examine(changed: Partial<DoctorUrls> = {}): Promise<Finding[]> {
  return runDoctor(await buildImageConfig(), 'local', { ...urls, ...changed });
}

/** What is not in order, without the disks of the machine that runs the test. */
async function complaints(changed: Partial<DoctorUrls> = {}): Promise<string[]> {
  const findings = await examine(changed);
  return findings
    .filter(({ ok, check }) => ok !== 'ok' && check !== 'search disks' && check !== 'search cluster')
    .map(({ ok, message, remedy }) => {
      expect(remedy).toBeTruthy();
      return `${ok}: ${message}`;
    });
}

async function createIndex(name: string, mappings: object = {}): Promise<void> {
  await client.indices.create({ index: name, body: { settings: { number_of_replicas: 0 }, mappings } });
  undo.push(() => client.indices.delete({ index: name }));
}

describe('the doctor', () => {
  it('finds nothing wrong with sound parts, and changes nothing', async () => {
    const findings = await examine();
    expect(await complaints()).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'catalog',
        'API database',
        'state database',
        'table public.image',
        `alias ${alias}`,
        'search disks',
      ]),
    );
    expect(findings.find(({ check }) => check === 'table public.image')?.message).toContain(
      'Not copied: ingestion_type',
    );
    for (const url of [api.url, state.url]) {
      await withSession(url, { applicationName: 'test', called: 'test database' }, async (session) => {
        const { rows } = await session.query<{ schema: unknown }>(
          `select to_regnamespace('freshet') as schema`,
        );
        expect(rows[0]?.schema).toBeNull();
      });
    }
    const { body } = await client.cat.indices({ index: `${alias}*`, format: 'json' });
    expect(body).toEqual([]);
  });

  it('names every missing table and column', async () => {
    await run(
      catalog.url,
      'alter table public.image drop column license; alter table public.image drop column tags',
    );
    await run(
      api.url,
      'drop table public.api_matureimage; alter table public.image drop column title; alter table public.image alter column removed_from_source type text',
    );
    const found = await complaints();
    expect(found).toEqual(
      expect.arrayContaining([
        'problem: public.image in the catalog has no column license.',
        'problem: public.image in the catalog has no column tags.',
        'problem: public.image in the API database has no column title.',
        'problem: There is no table public.api_matureimage in the API database.',
        'problem: public.image.removed_from_source is text; expected boolean.',
        'problem: public.image.license must not be null, has no default, and public.image in the catalog has no column for it.',
      ]),
    );
    await run(api.url, 'drop table public.image');
    expect(await complaints()).toContain('problem: There is no table public.image in the API database.');
  });

  it('reports a materialized view on a live table', async () => {
    await run(
      api.url,
      'create view public.titles as select title from public.image; create materialized view public.stats as select count(*) from public.titles',
    );
    expect(await complaints()).toEqual([
      expect.stringMatching(/^problem: .*materialized view public\.stats, which reads public\.image/),
    ]);
  });

  it('reports an id sequence near its maximum, and how far the ids in use got', async () => {
    await run(api.url, `select setval('public.image_id_seq', 1900000000)`);
    expect(await complaints()).toEqual([
      expect.stringContaining(
        'warning: public.image_id_seq has used 88.5 % of its ids: last value 1900000000, largest id null',
      ),
    ]);
    await run(api.url, `select setval('public.image_id_seq', 2147000000)`);
    const found = (await examine()).find(({ check }) => check === 'ids of public.image');
    expect(found).toMatchObject({
      ok: 'problem',
      remedy: expect.stringContaining("select setval('public.image_id_seq', 1)") as unknown,
    });
  });

  it('recognises one database under two URLs', async () => {
    const found = await complaints({ catalogUrl: api.url.replace('127.0.0.1', 'localhost') });
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringContaining('problem: The catalog and the API database are the same database'),
      ]),
    );
  });

  it('reports every right that the user lacks', async () => {
    const role = uniqueName('reader');
    const database = quoteIdentifier(api.name);
    await run(
      api.url,
      `create role ${role} login password 'x''y'; revoke temporary, create on database ${database} from public; revoke create on schema public from public`,
    );
    undo.push(() => run(api.url, `drop owned by ${role}; drop role ${role}`));
    const asReader = new URL(api.url);
    asReader.username = role;
    asReader.password = "x'y";
    const found = await complaints({ apiUrl: asReader.href });
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`problem: The user ${role} has no CREATE right on the database`),
        expect.stringContaining(`problem: The user ${role} has no TEMPORARY right`),
        expect.stringContaining('problem: public.image in the API database cannot be read by this user.'),
        expect.stringContaining('and the user is no member of that role'),
        'problem: The user may not create tables in the schema public.',
      ]),
    );
  });

  it('reports what is unreachable and still looks at the rest, without showing a password', async () => {
    const wrong = new URL(api.url);
    wrong.port = '1';
    wrong.password = 'do-not-show';
    const findings = await examine({
      apiUrl: wrong.href,
      searchUrls: ['http://user:do-not-show@127.0.0.1:1'],
    });
    const problems = findings.filter(({ ok }) => ok === 'problem');
    expect(problems.map(({ check }) => check)).toEqual(['API database', 'search cluster']);
    expect(findings.find(({ check }) => check === 'catalog')?.ok).toBe('ok');
    expect(JSON.stringify(findings)).not.toContain('do-not-show');
  });

  it('reports an index that has the name of an alias', async () => {
    await createIndex(alias);
    expect(await complaints()).toEqual([
      `problem: ${alias} is an index itself, so that it cannot be an alias.`,
    ]);
  });

  it('reports leftovers: marked and unmarked temp tables, indexes that nobody reads', async () => {
    await withSession(api.url, { applicationName: 'test', called: 'test database' }, async (session) => {
      await ensureMarks(session);
      await session.query(
        'create table public.temp_import_image (id int); create table public.temp_import_other (id int)',
      );
      await session.query(
        `insert into freshet.parts (oid, schema_name, name, live_name, kind, run_id, media, role, version)
         values ('public.temp_import_image'::regclass, 'public', 'temp_import_image', 'image', 'table', 'run1', 'image', 'candidate', '1')`,
      );
    });
    const mark = { runId: 'run1', media: 'image', role: 'main', version: '1' } as const;
    await createIndex(`${alias}-left`, withMark({}, mark));
    await createIndex(`${alias}-foreign`);
    await createIndex(`${alias}-live`, withMark({}, mark));
    await client.indices.putAlias({ index: `${alias}-live`, name: alias });
    expect(await complaints()).toEqual([
      'warning: public.temp_import_other is called like a temp table but carries no mark of freshet, which will never drop it.',
      'warning: The table public.temp_import_image was left by run run1.',
      `warning: The index ${alias}-left was left by run run1.`,
    ]);
    await run(api.url, 'delete from freshet.parts');
    expect(await complaints()).toContain(
      'problem: public.temp_import_image is called like a temp table but carries no mark of freshet, which will never drop it.',
    );
  });

  it('loads the list of sensitive terms, and shows its length only', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'freshet-terms-'));
    undo.push(() => rm(folder, { recursive: true }));
    const file = join(folder, 'terms.txt');
    await writeFile(file, 'forbidden\nForbidden Words\n');
    const config = await buildImageConfig({ sensitiveTerms: { from: file } });
    const findings = await runDoctor(config, 'local', urls, {});
    expect(findings.find(({ check }) => check === 'sensitive terms')?.message).toBe('2 terms.');
    expect(JSON.stringify(findings)).not.toMatch(/forbidden/i);
    await writeFile(file, '');
    const empty = await runDoctor(config, 'local', urls, {});
    expect(empty.find(({ check }) => check === 'sensitive terms')?.ok).toBe('problem');
  });

  it('takes work that goes on and the previous generation for no leftovers', async () => {
    const known = await openState(state.url);
    await known.pool.query(
      `insert into freshet.runs (id, definition, environment, media, flow, parameters, state, version)
       values ('going', 'd', 'local', 'image', 'refresh', '{}', 'running', '1'), ('done', 'another', 'local', 'image', 'refresh', '{}', 'succeeded', '1')`,
    );
    await known.pool.query(
      `insert into freshet.generations (id, environment, media, run_id, state, tables, main_index, filtered_index)
       values ('done', 'local', 'image', 'done', 'previous', '{}', $1, $2)`,
      [`${alias}-kept`, `${alias}-kept-filtered`],
    );
    await known.close();
    await createIndex(
      `${alias}-kept`,
      withMark({}, { runId: 'done', media: 'image', role: 'main', version: '1' }),
    );
    await createIndex(
      `${alias}-new`,
      withMark({}, { runId: 'going', media: 'image', role: 'main', version: '1' }),
    );
    expect(await complaints()).toEqual([]);
  });
});
