import { expect, test } from 'vitest';
import { assertCarryable, describeTable } from '../../../src/postgres/tableShape.js';
import { FreshetError } from '../../../src/errors.js';
import { rehearseTempTables } from '../../../src/postgres/rehearsal.js';
import { createApi, named } from './refreshCycle.js';

const plain = `create table image (id int primary key, url text);`;

const cases: Readonly<Record<string, readonly [string, string]>> = {
  trigger: [
    `${plain} create function f() returns trigger language plpgsql as 'begin return new; end';
     create trigger "My T" before insert on image for each row execute function f()`,
    'trigger "My T" on public.image',
  ],
  rule: [`${plain} create rule r as on delete to image do instead nothing`, 'rule r on public.image'],
  'rule of another table': [
    `${plain} create table log (id int); create rule r as on insert to log do also insert into image values (new.id)`,
    'rule r on public.log',
  ],
  'row security': [`${plain} alter table image enable row level security`, 'row security of public.image'],
  policy: [`${plain} create policy p on image using (true)`, 'policy p on public.image'],
  'policy of another table': [
    `${plain} create table t (id int); create policy p on t using (exists (select from image where image.id = t.id))`,
    'policy p on public.t, which reads public.image',
  ],
  'identity column': [
    `create table image (id int generated always as identity primary key)`,
    'identity column id of public.image',
  ],
  'generated column': [
    `create table image (id int primary key, twice int generated always as (id * 2) stored)`,
    'generated column twice of public.image',
  ],
  'partitioned table': [
    `create table image (id int) partition by range (id)`,
    'partitioned table public.image',
  ],
  partition: [
    `create table all_images (id int) partition by range (id); create table image partition of all_images default`,
    'partition public.image',
  ],
  'inherited table': [
    `${plain} create table child () inherits (image)`,
    'inheritance of public.child from public.image',
  ],
  'unlogged table': [`create unlogged table image (id int)`, 'unlogged table public.image'],
  view: [`create view image as select 1 as id`, 'view public.image'],
  'materialized view': [
    `${plain} create materialized view m as select * from image`,
    'materialized view public.m, which reads public.image',
  ],
  'materialized view behind a view': [
    `${plain} create view v as select * from image; create materialized view m as select * from v`,
    'materialized view public.m, which reads public.image',
  ],
  'exclusion constraint': [
    `create table image (id int, r int4range, constraint x exclude using gist (r with &&))`,
    'exclusion constraint x on public.image',
  ],
  'extended statistics': [
    `${plain} create statistics s on id, url from image`,
    'extended statistics s on public.image',
  ],
  publication: [`${plain} create publication p for table image`, 'publication p, which names public.image'],
  'replica identity': [
    `${plain} alter table image replica identity full`,
    'replica identity full of public.image',
  ],
  'function with the row type': [
    `${plain} create function f(i image) returns int language sql as 'select 1'`,
    'function public.f(public.image), which depends on public.image',
  ],
  'function that reads it': [
    `${plain} create function f() returns bigint language sql begin atomic select count(*) from image; end`,
    'function public.f(), which depends on public.image',
  ],
  'column of its row type': [
    `${plain} create table t (i image[])`,
    'column i of table public.t, which depends on public.image',
  ],
  'trigger of another table that has its columns': [
    `create table image (id int primary key); create table t (i int);
     create function f() returns trigger language plpgsql as 'begin return new; end';
     create constraint trigger c after insert on t from image for each row execute function f()`,
    'trigger c on public.t, which reads public.image',
  ],
  'descending sequence': [
    `create sequence s increment -1; create table image (id int primary key default nextval('s'))`,
    'descending sequence public.s of public.image',
  ],
};

test.each(Object.entries(cases))(
  '%s is refused by name, before anything is done',
  async (_kind, [sql, feature]) => {
    const api = await createApi(sql);
    const shape = await describeTable(api.session, named('image'));
    expect(shape.unsupported).toContain(feature);
    expect(() => {
      assertCarryable([shape]);
    }).toThrow(FreshetError);
  },
);

test('an invalid index is refused by name', async () => {
  const api = await createApi(
    `create table image (id int primary key, a int); insert into image values (1, 1), (2, 1)`,
  );
  await expect(api.run('create unique index concurrently i on image (a)')).rejects.toThrow();
  const { unsupported } = await describeTable(api.session, named('image'));
  expect(unsupported).toEqual(['invalid index public.i on public.image']);
});

test('all refusals of all tables are named in one error', async () => {
  const api = await createApi(
    `create table a (id int generated always as identity); create unlogged table b (id int)`,
  );
  const shapes = [await describeTable(api.session, named('a')), await describeTable(api.session, named('b'))];
  expect(() => {
    assertCarryable(shapes);
  }).toThrow(/identity column id of public\.a; unlogged table public\.b/);
});

test('a missing table is said to be missing', async () => {
  const api = await createApi('');
  await expect(describeTable(api.session, named('image'))).rejects.toMatchObject({ code: 'TABLE_MISSING' });
});

test('what no list foresaw is found by the rehearsal: an expression that names the whole row', async () => {
  const api = await createApi(`create table image (id int primary key, a int);
    alter table image add constraint whole check (image is not null)`);
  const shape = await describeTable(api.session, named('image'));
  const before = await api.rows('select oid from pg_class order by oid');
  const failed = rehearseTempTables(api.session, [{ shape, addedColumns: {} }]);
  await expect(failed).rejects.toMatchObject({ code: 'TABLE_FEATURE_UNSUPPORTED' });
  expect(await api.rows('select oid from pg_class order by oid')).toEqual(before);
});

test('the rehearsal of a table with everything finds nothing and leaves nothing', async () => {
  const api = await createApi(`create table p (id int primary key);
    create table image (id serial primary key, a int not null check (a > 0), b text collate "C" unique deferrable, c int references p) with (fillfactor = 70);
    create index "i (id)" on image (lower(b)) where a > 3; comment on index "i (id)" is 'c'; comment on constraint image_a_check on image is 'x';
    create view v as select * from image; grant select on image to public`);
  const shape = await describeTable(api.session, named('image'));
  const before = await api.rows('select oid from pg_class order by oid');
  await rehearseTempTables(api.session, [{ shape, addedColumns: { popularity: 'double precision' } }]);
  expect(await api.rows('select oid from pg_class order by oid')).toEqual(before);
});
