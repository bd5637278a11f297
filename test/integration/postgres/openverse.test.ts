import { expect, test } from 'vitest';
import type { QualifiedName } from '../../../src/postgres/identifiers.js';
import { describeTable, type TableShape } from '../../../src/postgres/tableShape.js';
import {
  createApi,
  diffBeforeAfter,
  dropPrevious,
  named,
  refreshTables,
  type ApiDatabase,
} from './refreshCycle.js';

const common = `created_on timestamptz not null, updated_on timestamptz not null, foreign_identifier text, title text,
  foreign_landing_url text, creator text, creator_url text, url text, filesize int`;

const pair = (table: string, column: string, hash: string, operators: string): string =>
  `create index ${table}_${column}_${hash} on ${table} (${column}); create index ${table}_${column}_${hash}_like on ${table} (${column} ${operators});`;

/** Tables of the API, shortened to what differs in kind. */
const tables = `
  create table audio (id serial, identifier uuid not null, ${common}, view_count int default 0, tags jsonb, provider varchar(80), genres varchar(80)[],
    constraint audio_pkey primary key (id), constraint audio_identifier_key unique (identifier), constraint audio_url_key unique (url),
    constraint unique_provider_audio unique (foreign_identifier, provider));
  ${pair('audio', 'provider', '8fe1eb54', 'varchar_pattern_ops')} ${pair('audio', 'foreign_identifier', '617f66ad', 'text_pattern_ops')}
  create index audio_genres_e34cc474 on audio (genres); create index audio_url_b6a832d3_like on audio (url text_pattern_ops);
  create sequence api_audioset_id_seq as integer;
  create table audioset (id integer not null default nextval('api_audioset_id_seq'), ${common}, provider varchar(80),
    constraint api_audioset_pkey primary key (id), constraint api_audioset_url_key unique (url),
    constraint unique_foreign_identifier_provider unique (foreign_identifier, provider));
  alter sequence api_audioset_id_seq owned by audioset.id;
  create index audioset_provider_cc061f30 on audioset (provider);
  create table audiolist (id serial primary key, title varchar(2000), slug varchar(200) unique);
  create table audiolist_audios (id serial primary key, audiolist_id int not null references audiolist deferrable initially deferred,
    audio_id int not null constraint audiolist_audios_audio_id_fk references audio deferrable initially deferred, unique (audiolist_id, audio_id));
  create index audiolist_audios_audio_id on audiolist_audios (audio_id);`;

const rows = `
  insert into audio (created_on, updated_on, identifier, url, foreign_identifier, provider, title)
    select now(), now(), gen_random_uuid(), 'u' || n, 'f' || n, 'p', 't' || n from generate_series(1, 500) n;
  insert into audioset (created_on, updated_on, url, foreign_identifier, provider) select now(), now(), 'u' || n, 'f' || n, 'p' from generate_series(1, 50) n;
  insert into audiolist (title, slug) values ('mine', 'mine');
  insert into audiolist_audios (audiolist_id, audio_id) select 1, n * 7 from generate_series(1, 40) n`;

async function describeAll(api: ApiDatabase, names: readonly QualifiedName[]): Promise<TableShape[]> {
  const shapes: TableShape[] = [];
  for (const name of names) shapes.push(await describeTable(api.session, name));
  return shapes;
}

const media = (api: ApiDatabase): Promise<unknown[]> =>
  api.rows(
    'select l.id, a.identifier, a.title from audiolist_audios l join audio a on a.id = l.audio_id order by l.id',
  );

test('D14: after two refreshes of audio and audioset a list still holds the same media, everything else is as before', async () => {
  const api = await createApi(`${tables} ${rows}`);
  const both = [named('audio'), named('audioset')];
  const names = [...both, named('audiolist'), named('audiolist_audios')];
  const before = await describeAll(api, names);
  const listed = await media(api);
  for (const runId of ['run-1', 'run-2']) {
    const record = await refreshTables(api, both, { runId, nextId: 501n });
    expect(record.lockHeldMs).toBeLessThan(1_000);
    expect(await media(api)).toEqual(listed);
    for (const shape of before)
      expect(diffBeforeAfter(shape, await describeTable(api.session, shape.name))).toEqual([]);
    const keepOids = record.tables.map(({ previousOid }) => previousOid);
    await dropPrevious(api.url, { media: 'image', keepOids, isRunOver: () => true });
  }
  expect(
    await api.rows(
      `select count(*)::int as n from pg_class where relname like 'freshet_previous_audio%' and relkind = 'r'`,
    ),
  ).toEqual([{ n: 2 }]);
});

test('D34: audio and audioset change over in one transaction', async () => {
  const api = await createApi(
    `${tables} ${rows}; alter table audio add generation int default 0; alter table audioset add generation int default 0`,
  );
  const reader = await api.open();
  const seen = new Set<string>();
  let stopped = false;
  const reading = (async () => {
    while (!stopped) {
      const { rows: found } = await reader.query<{ pair: string }>(
        "select (select max(generation) from public.audio) || ' ' || (select max(generation) from public.audioset) as pair",
      );
      for (const { pair: value } of found) seen.add(value);
    }
  })();
  const insideSwap = async (session: { query(sql: string): Promise<unknown> }): Promise<number> => {
    await session.query(
      'update public.temp_import_audio set generation = 1; update public.temp_import_audioset set generation = 1',
    );
    return 0;
  };
  await refreshTables(api, [named('audio'), named('audioset')], { runId: 'run-1', swap: { insideSwap } });
  stopped = true;
  await reading;
  expect([...seen].filter((value) => value !== '0 0' && value !== '1 1')).toEqual([]);
});

test('a key between two tables that swap together points at the promoted one, valid all the time', async () => {
  const api = await createApi(`create table sets (id int primary key); insert into sets values (1), (2);
    create table audio (id int primary key, set_id int constraint in_set references sets on delete set null); insert into audio values (1, 1), (2, 2)`);
  const both = [named('audio'), named('sets')];
  const before = await describeAll(api, both);
  for (const runId of ['run-1', 'run-2']) {
    await refreshTables(api, both, { runId });
    // The previous audio points at the previous sets, so the keys that point at sets are compared from audio's side.
    const audio = await describeTable(api.session, named('audio'));
    expect(before[0] && diffBeforeAfter(before[0], audio)).toEqual([]);
    const sets = await describeTable(api.session, named('sets'));
    expect(sets.inboundKeys.map(({ table, valid }) => ({ table, valid }))).toEqual([
      { table: named('audio'), valid: true },
    ]);
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
  }
  await api.run('delete from sets where id = 1');
  expect(await api.rows('select * from audio order by id')).toEqual([
    { id: 1, set_id: null },
    { id: 2, set_id: 2 },
  ]);
});
