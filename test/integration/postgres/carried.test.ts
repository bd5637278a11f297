import { describe, expect, test } from 'vitest';
import { describeTable } from '../../../src/postgres/tableShape.js';
import { createApi, diffBeforeAfter, named, refreshTables } from './refreshCycle.js';

const image = named('image');

/** Refreshes `public.image` twice and compares the catalog before with the catalog after each. */
async function differencesAfterRefreshes(sql: string, table = image): Promise<string[]> {
  const api = await createApi(sql);
  const before = await describeTable(api.session, table);
  const differences: string[] = [];
  for (const runId of ['run-1', 'run-2']) {
    await refreshTables(api, [table], { runId });
    const after = await describeTable(api.session, table);
    expect(after.oid).not.toBe(before.oid);
    differences.push(...diffBeforeAfter(before, after));
  }
  return differences;
}

describe('the promoted table is what the live table was', () => {
  const cases: Readonly<Record<string, string>> = {
    'D27: UNIQUE constraints stay constraints, unique indexes stay indexes': `
      create table image (id serial primary key, url text, fid text, provider text, constraint image_url_key unique (url),
        constraint pair unique (fid, provider) deferrable initially deferred, constraint later unique (provider, id) deferrable);
      create unique index image_fid on image (fid);
      insert into image (url, fid, provider) select 'u' || n, 'f' || n, 'p' from generate_series(1, 20) n`,
    'D28: a CHECK survives, NOT VALID and NO INHERIT stay so': `
      create table image (id int primary key, w int constraint positive check (w > 0), h int);
      insert into image values (1, 2, -5);
      alter table image add constraint later check (h > 0) not valid;
      alter table image add constraint own check (w < 100) no inherit;
      alter table image alter column h drop not null;
      comment on constraint positive on image is 'it''s positive'`,
    'D29: a second index on (id) does not become the primary key': `
      create table image (id int constraint pk primary key, a int);
      create index "by (id)" on image (id); create index twice on image (id); create unique index also on image (id)`,
    'D29: expression, partial, covering, ordered, operator class and collation indexes, with braces and quotes': `
      create table image (id int primary key, url text, tags jsonb, genres varchar(80)[]);
      create index "x on image" on image ((url || '{0} on public.image "q" ''s')) where url <> 'USING {}';
      create unique index part on image (lower(url)) include (id) where id > 3;
      create index ordered on image (url desc nulls last, id) with (fillfactor = 70);
      create index likes on image (url text_pattern_ops); create index coll on image (url collate "C");
      create index gins on image using gin (tags jsonb_path_ops); create index genres on image (genres);
      create index hashed on image using hash (url); create index brin on image using brin (id) with (pages_per_range = 4);
      insert into image select n, 'u' || n, '{"a":1}', '{a,b}' from generate_series(1, 20) n;
      alter index part alter column 1 set statistics 77; alter table image cluster on ordered`,
    'D29: two indexes that only their names and comments tell apart keep their own': `
      create table image (id int primary key, a text, n int);
      create index first on image ((a || '{}'), n); create index again on image ((a || '{}'), n); create index "A third" on image ((a || '{}'), n);
      alter index first alter column 1 set statistics 50; comment on index again is 'again'`,
    'D31: comments on table, columns, indexes and constraints': `
      create table image (id int primary key, url text unique, p int);
      create index i on image (p); comment on table image is 'back\\slash and ''quote'''; comment on column image.url is 'where';
      comment on index i is 'an index'; comment on index image_url_key is 'key index'; comment on constraint image_url_key on image is 'key';
      comment on constraint image_pkey on image is 'pk'`,
    'D31: statistics targets, storage, compression, collation, storage parameters': `
      create table image (id int primary key, url text collate "C", big text compression pglz, v varchar(80) default 'x''y')
        with (fillfactor = 71, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = false);
      alter table image alter column url set statistics 500; alter table image alter column big set storage external;
      alter table image alter column v set (n_distinct = -0.5)`,
    'D31: a live table without autovacuum stays one': `
      create table image (id int primary key, url text) with (autovacuum_enabled = false)`,
    'D31: defaults, NOT NULL and owned sequences': `
      create table image (id bigserial primary key, a int not null default 3, b timestamptz not null default now(), c text default 'a' || 'b',
        n numeric(10, 3), i interval day to second(2), bits bit(3)[]);
      create sequence other owned by image.a; insert into image default values`,
    'D31: foreign keys both ways keep actions and deferrability, and are valid again': `
      create table provider (id int primary key); insert into provider values (1), (2);
      create table image (id int primary key, url text unique, provider int constraint prov references provider on delete set null on update cascade,
        later int, constraint lazily foreign key (later) references provider deferrable initially deferred, parent int references image);
      alter table image add constraint unchecked foreign key (later) references provider match full not valid;
      create table list (id int primary key, image_id int references image on delete cascade on update restrict deferrable initially deferred,
        url text constraint by_url references image (url));
      comment on constraint by_url on list is 'commented'; comment on constraint prov on image is 'outbound';
      insert into image values (1, 'u', 1, 2, null), (2, 'v', 2, null, 1); insert into list values (1, 1, 'u'), (2, 2, null)`,
    'D30: plain views that read it keep options, owner, grants, comments and dependents': `
      create table image (id int primary key, url text);
      create view "My View" with (security_barrier, check_option = local) as select id, url as "U r l" from image where id > 0;
      create view on_view as select count(*) from "My View"; create view joined as select a.id from image a join "My View" b using (id);
      comment on view "My View" is 'seen'; grant select on "My View" to public; create view grouped as select * from image group by id`,
    'D31: a table without indexes, keys and rows': `create table image (id int, "A b" text)`,
  };

  test.each(Object.entries(cases))('%s', async (_claim, sql) => {
    expect(await differencesAfterRefreshes(sql)).toEqual([]);
  });

  test('D31: owner and grants of the table and of columns', async () => {
    const api = await createApi(
      `create table image (id serial primary key, url text); insert into image (url) values ('u')`,
    );
    const role = `reader_${process.pid}`;
    const owner = `owner_${process.pid}`;
    await api.run(
      `create role "${role}"; create role "${owner}"; grant create on schema public to "${owner}"`,
    );
    try {
      await api.run(`alter table image owner to "${owner}"; grant select on image to "${role}" with grant option;
        grant update (url), insert (url) on image to "${role}"; grant select (id) on image to public;
        revoke delete on image from "${owner}"; alter default privileges in schema public grant insert on tables to public`);
      const before = await describeTable(api.session, image);
      await refreshTables(api, [image], { runId: 'run-1' });
      expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
    } finally {
      await api.run(`drop owned by "${role}", "${owner}" cascade; drop role "${role}", "${owner}"`);
    }
  });

  test('a grant that is made while the run goes on is there after it', async () => {
    const api = await createApi(`create table image (id int primary key)`);
    const beforeTry = async (): Promise<void> => {
      await api.run('grant update on image to public');
    };
    await refreshTables(api, [image], { runId: 'run-1', swap: { beforeTry } });
    const { grants } = await describeTable(api.session, image);
    expect(grants).toContainEqual({ column: null, grantee: null, privilege: 'UPDATE', grantable: false });
  });

  test('D29: names of 63 bytes, with quotes, spaces and upper case', async () => {
    const long = `${'é'.repeat(31)}x`;
    const odd = '"Odd" Näme %s {0}';
    const api = await createApi(`
      create table "${long}" (id int constraint "${'p'.repeat(63)}" primary key, url text constraint "${'u'.repeat(63)}" unique);
      create index "${'i'.repeat(62)}1" on "${long}" (url); create index "${'i'.repeat(62)}2" on "${long}" (id, url);
      create table """Odd"" Näme %s {0}" ("a""b" serial primary key, "C d" text check ("C d" <> '{}'), unique ("C d"));
      insert into """Odd"" Näme %s {0}" ("C d") values ('x');
      create table l (r int references """Odd"" Näme %s {0}"); insert into l values (1)`);
    for (const name of [named(long), named(odd)]) {
      const before = await describeTable(api.session, name);
      for (const runId of ['run-1', 'run-2']) {
        await refreshTables(api, [name], { runId: `${name.name} ${runId}` });
        expect(diffBeforeAfter(before, await describeTable(api.session, name))).toEqual([]);
      }
    }
  });

  test('D29: two tables that swap together and whose names of 63 bytes begin alike', async () => {
    const names = ['1', '2'].map((end) => named(`${'é'.repeat(31)}${end}`));
    const [one, two] = names;
    const api = await createApi(
      names.map(({ name }) => `create table "${name}" (id int generated always as identity)`).join(';'),
    );
    const before = [
      await describeTable(api.session, one ?? image),
      await describeTable(api.session, two ?? image),
    ];
    for (const runId of ['run-1', 'run-2']) {
      await refreshTables(api, names, { runId });
      for (const shape of before)
        expect(diffBeforeAfter(shape, await describeTable(api.session, shape.name))).toEqual([]);
    }
  });

  test('D29: a table of the same name in another schema is left alone', async () => {
    const api = await createApi(`
      create schema other; create table image (id int primary key, a int); create index i on image (a);
      create table other.image (id int primary key, b text); create index i on other.image (b); insert into other.image values (7, 'x')`);
    const other = named('image', 'other');
    const before = await describeTable(api.session, other);
    const mine = await describeTable(api.session, image);
    await refreshTables(api, [image], { runId: 'run-1' });
    expect(await describeTable(api.session, other)).toEqual(before);
    expect(diffBeforeAfter(mine, await describeTable(api.session, image))).toEqual([]);
    await refreshTables(api, [other], { runId: 'run-2' });
    expect(diffBeforeAfter(before, await describeTable(api.session, other))).toEqual([]);
  });

  test('D32: the promoted table has statistics', async () => {
    const api = await createApi(
      `create table image (id int primary key, a int); insert into image select n, n % 3 from generate_series(1, 100) n`,
    );
    await refreshTables(api, [image], { runId: 'run-1' });
    expect(await api.rows(`select attname from pg_stats where tablename = 'image' order by 1`)).toHaveLength(
      2,
    );
    expect(await api.rows(`select reltuples::int as n from pg_class where oid = 'image'::regclass`)).toEqual([
      { n: 100 },
    ]);
  });

  test('D38: the declared addition is the only difference, at the end of the columns', async () => {
    const api = await createApi(
      `create table image (id int primary key, a int); create view v as select * from image`,
    );
    const before = await describeTable(api.session, image);
    const addedColumns = { standardized_popularity: 'double precision', a: 'text' };
    await refreshTables(api, [image], { runId: 'run-1', addedColumns });
    const after = await describeTable(api.session, image);
    expect(diffBeforeAfter(before, after, ['standardized_popularity'])).toEqual([]);
    expect(after.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id integer',
      'a integer',
      'standardized_popularity double precision',
    ]);
    await refreshTables(api, [image], { runId: 'run-2', addedColumns });
    expect(diffBeforeAfter(after, await describeTable(api.session, image))).toEqual([]);
  });

  test('D27: NULLS NOT DISTINCT stays, as constraint and as index', async () => {
    const sql = `create table image (id int primary key, a text, b text, constraint n unique nulls not distinct (a));
        create unique index m on image (b) nulls not distinct`;
    expect(await differencesAfterRefreshes(sql)).toEqual([]);
  });
});
