import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addConstraints, buildUniqueKeys } from '../../../src/postgres/indexBuild.js';
import { rehearseTempTables } from '../../../src/postgres/rehearsal.js';
import { applyDeletionToLive } from '../../../src/postgres/reconcileTable.js';
import { readIdSequence, firstNewId } from '../../../src/postgres/sequences.js';
import { swapTables } from '../../../src/postgres/swap.js';
import { describeTable } from '../../../src/postgres/tableShape.js';
import { uniqueName } from '../../setup/databases.js';
import { startSystemPostgres, whyNoSystemPostgres, type SystemPostgres } from '../../setup/systemPostgres.js';
import {
  buildTempTables,
  createApi,
  diffBeforeAfter,
  dropPrevious,
  named,
  prepareRefresh,
  refreshTables,
  type ApiDatabase,
} from './refreshCycle.js';

const image = named('image');

/** Refreshes twice and expects the table to be what it was each time. */
async function refreshTwice(
  api: ApiDatabase,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const before = await describeTable(api.session, image);
  for (const runId of ['run-1', 'run-2']) {
    await refreshTables(api, [image], { runId });
    expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
    await between();
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
  }
}

describe('D31: triggers', () => {
  const log = `create table log (id serial, said text);
    create function note() returns trigger language plpgsql as $f$
      begin insert into public.log (said) values (concat_ws(' ', tg_name, tg_op, tg_table_name, tg_argv[0])); return coalesce(new, old); end $f$;
    create table image (id int primary key, url text); insert into image values (1, 'a'), (2, 'b');`;
  const said = (api: ApiDatabase): Promise<unknown[]> => api.rows('select said from log order by id');

  test('they fire after the promotion, in their order, and neither during the copy, the build nor the swap', async () => {
    const api = await createApi(`${log}
      create trigger b_second after insert or delete on image for each row execute function note('it''s');
      create trigger a_first after insert on image for each row execute function note();
      create trigger truncated after truncate on image for each statement execute function note()`);
    const insideSwap = async (session: { query(sql: string): Promise<unknown> }): Promise<number> => {
      await session.query('delete from public.temp_import_image where id = 2');
      return 1;
    };
    await refreshTables(api, [image], { runId: 'run-1', swap: { insideSwap } });
    expect(await said(api)).toEqual([]);
    await api.run(`insert into image values (3, 'c')`);
    expect(await said(api)).toEqual([
      { said: 'a_first INSERT image' },
      { said: "b_second INSERT image it's" },
    ]);
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
    await api.run('truncate image');
    expect(await api.rows(`select count(*)::int as n from log where said like 'truncated%'`)).toEqual([
      { n: 1 },
    ]);
  });

  test('a disabled one stays off, one for replicas and one for always stay so', async () => {
    const api = await createApi(`${log}
      create trigger off before update on image for each row execute function note(); alter table image disable trigger off;
      create trigger replica before update on image for each row execute function note(); alter table image enable replica trigger replica;
      create trigger always before update on image for each row execute function note(); alter table image enable always trigger always;
      create trigger origin before update on image for each row execute function note()`);
    await refreshTwice(api);
    await api.run('update image set url = url where id = 1');
    expect(await said(api)).toEqual([{ said: 'always UPDATE image' }, { said: 'origin UPDATE image' }]);
    await api.run(
      `truncate log; set session_replication_role = replica; update image set url = url where id = 1`,
    );
    expect(await said(api)).toEqual([{ said: 'always UPDATE image' }, { said: 'replica UPDATE image' }]);
  });

  test('conditions, columns and transition tables stay, whatever names and texts are in them', async () => {
    const api = await createApi(`${log}
      create trigger "on public.image" before update of url on image for each row when (old.url <> ' ON public.image ') execute function note('ON "x"');
      create trigger counted after update on image referencing new table as n for each statement execute function note();
      comment on trigger counted on image is 'counts'`);
    await refreshTwice(api);
    await api.run(
      `update image set url = ' ON public.image '; truncate log; update image set url = 'z', id = id`,
    );
    expect(await said(api)).toEqual([{ said: 'counted UPDATE image' }]);
  });

  test('a deletion that is applied to the live table fires them as one of the application would, names without schema and all', async () => {
    const identifier = '00000000-0000-4000-8000-000000000001';
    const api = await createApi(`create table gone (id int);
      create function note() returns trigger language plpgsql as 'begin insert into gone values (old.id); return old; end';
      create table image (id int primary key, identifier uuid); insert into image values (7, '${identifier}');
      create table deleted_image (identifier uuid); insert into deleted_image values ('${identifier}');
      create trigger noted after delete on image for each row execute function note()`);
    const { runId } = await refreshTables(api, [image], { runId: 'run-1' });
    const target = {
      runId,
      table: image,
      idColumn: 'id',
      deletedMediaTable: 'deleted_image',
      sensitiveMediaTable: null,
    };
    expect(await applyDeletionToLive(api.session, target, identifier)).toBe(true);
    expect(await api.rows('select id from gone')).toEqual([{ id: 7 }]);
    expect(await api.rows('select id from image')).toEqual([]);
  });

  test('a deferred constraint trigger fires at the commit', async () => {
    const api = await createApi(`${log}
      create constraint trigger later after insert on image deferrable initially deferred for each row execute function note();
      comment on trigger later on image is 'a trigger'; comment on constraint later on image is 'a constraint'`);
    await refreshTwice(api);
    await api.run(`begin; insert into image values (3, 'c')`);
    expect(await said(api)).toEqual([]);
    await api.run('commit');
    expect(await said(api)).toEqual([{ said: 'later INSERT image' }]);
  });
});

describe('D31: identity columns', () => {
  const always = `create table image (id int generated always as identity primary key, url text);
    insert into image (url) select 'u' || g from generate_series(1, 5) g`;

  test('go on counting, also above what was told, and never back', async () => {
    const api = await createApi(always);
    await refreshTables(api, [image], { runId: 'run-1', nextId: 20n });
    await api.run(`insert into image (url) values ('new')`);
    await refreshTables(api, [image], { runId: 'run-2', nextId: 3n });
    await api.run(`insert into image (url) values ('newer')`);
    expect(await api.rows(`select id from image where url like 'new%' order by id`)).toEqual([
      { id: 20 },
      { id: 21 },
    ]);
    await expect(api.run('insert into image (id) values (99)')).rejects.toThrow(
      /cannot insert a non-DEFAULT value/,
    );
  });

  test('ids that API writers were given while the run went on are not given again', async () => {
    const api = await createApi(always);
    const swap = await prepareRefresh(api, [image], { runId: 'run-1', nextId: 6n });
    await api.run(`insert into image (url) select 'late' from generate_series(1, 10)`);
    await swapTables(swap);
    const shape = await describeTable(api.session, image);
    expect(firstNewId(await readIdSequence(api.session, shape, 'id'))).toBe(16n);
    await api.run(`insert into image (url) values ('new')`);
    expect(await api.rows(`select id from image where url = 'new'`)).toEqual([{ id: 16 }]);
  });

  test('sequence name, options, rights and comment stay, and the previous table keeps its own', async () => {
    const role = uniqueName('reader');
    const api = await createApi(`
      create table image (id bigint generated by default as identity (sequence name "My Seq" start with 7 increment by 3 minvalue 4 maxvalue 9999 cache 2 cycle),
        place smallint generated always as identity); create role ${role};
      comment on sequence "My Seq" is 'numbers'; grant usage on sequence "My Seq" to ${role}; insert into image default values`);
    try {
      await refreshTwice(api, async () => {
        expect(await api.rows(`select pg_get_serial_sequence('image', 'id') as s`)).toEqual([
          { s: 'public."My Seq"' },
        ]);
        const previous = `select count(*)::int as n from pg_class where relkind = 'S' and relname like 'freshet\\_previous\\_%'`;
        expect(await api.rows(previous)).toEqual([{ n: 2 }]);
      });
      await api.run('insert into image default values');
      expect(await api.rows('select max(id)::int as id, max(place)::int as place from image')).toEqual([
        { id: 13, place: 2 },
      ]);
    } finally {
      await api.run(`drop owned by ${role}; drop role ${role}`);
    }
  });
});

describe('D31: generated columns', () => {
  test('are made by the server, stored and virtual', async () => {
    const api = await createApi(`create table image (id int primary key, a int,
        twice int generated always as (a * 2) stored, "Sum" int generated always as (a + id) virtual);
      create index on image (twice); insert into image values (1, 10), (2, 20)`);
    await refreshTwice(api);
    await api.run('insert into image (id, a) values (3, 30); update image set a = 11 where id = 1');
    expect(await api.rows('select twice, "Sum" from image order by id')).toEqual([
      { twice: 22, Sum: 12 },
      { twice: 40, Sum: 22 },
      { twice: 60, Sum: 33 },
    ]);
  });
});

describe('D31: row security', () => {
  let role = '';
  beforeAll(() => {
    role = uniqueName('reader');
  });

  const secured = (): string => `create role ${role};
    create table admission (media int, who text); insert into admission values (2, '${role}');
    create table image (id int primary key, url text); insert into image values (1, 'a'), (2, 'b'), (3, 'open');
    grant select on image, admission to ${role}; alter table image enable row level security;
    create policy admitted on image for select to ${role} using (exists (select from admission d where d.media = image.id and d.who = current_user));
    create policy open on image using (url = 'open'); comment on policy open on image is 'for all';
    create policy never on image as restrictive for select to public using (id <> 17)`;
  const seen = async (api: ApiDatabase, table: string): Promise<unknown[]> => {
    await api.run(`set role ${role}`);
    try {
      return await api.rows(`select id from ${table} order by id`);
    } finally {
      await api.run('reset role');
    }
  };

  test('policies hide the same rows after the promotion, and the temp table shows none before it', async () => {
    const api = await createApi(secured());
    try {
      const visible = [{ id: 2 }, { id: 3 }];
      expect(await seen(api, 'image')).toEqual(visible);
      const before = await describeTable(api.session, image);
      const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
      expect(await seen(api, 'temp_import_image')).toEqual([]);
      const { tables } = await swapTables(swap);
      expect(await seen(api, 'image')).toEqual(visible);
      expect(await seen(api, `"${tables[0]?.previous.name}"`)).toEqual(visible);
      expect(await api.rows('select count(*)::int as n from image')).toEqual([{ n: 3 }]);
      expect(diffBeforeAfter(before, await describeTable(api.session, image))).toEqual([]);
      await refreshTwice(api);
      expect(await seen(api, 'image')).toEqual(visible);
    } finally {
      await api.run(`drop owned by ${role} cascade; drop role ${role}`);
    }
  });

  test('a policy that reads its own table reads the promoted one', async () => {
    const api = await createApi(`create table image (id int primary key);
      create policy p on image using (id <= (select max(i.id) from image i)); alter table image enable row level security`);
    await refreshTwice(api);
  });

  test('forced row security is carried by who sees all rows, and refused of who does not, before the copy', async () => {
    const owner = uniqueName('owner');
    const api =
      await createApi(`create role ${owner} login password 'x'; grant create on schema public to ${owner};
      create table image (id int primary key); insert into image values (1), (2); alter table image owner to ${owner};
      alter table image enable row level security; alter table image force row level security; create policy p on image using (id = 1)`);
    try {
      await refreshTwice(api);
      expect(await api.rows('select count(*)::int as n from image')).toEqual([{ n: 2 }]);
      const shape = await describeTable(api.session, image);
      await api.run(`grant create on database ${new URL(api.url).pathname.slice(1)} to ${owner}`);
      await api.session.query(`set role ${owner}`);
      await expect(rehearseTempTables(api.session, [{ shape, addedColumns: {} }])).rejects.toThrow(
        /forced row security, which would hide rows/,
      );
      await expect(api.session.query('select max(id) from public.image')).rejects.toThrow(
        /row-level security/,
      );
      await api.session.query('reset role');
    } finally {
      await api.run(`drop owned by ${owner} cascade; drop role ${owner}`);
    }
  });
});

describe('D31: statistics objects', () => {
  test('have the live names and are filled when the table goes live', async () => {
    const api = await createApi(`create schema other; create table image (id int primary key, a int, b int);
      insert into image select g, g % 10, g % 10 from generate_series(1, 1000) g;
      create statistics other."S" (ndistinct, dependencies) on a, b from image; alter statistics other."S" set statistics 77;
      comment on statistics other."S" is 'depend'; create statistics odd on (a + b), (b % 3) from image; create statistics single on (a * 2) from image`);
    await refreshTwice(api);
    expect(
      await api.rows(
        `select stxname, d.stxdndistinct is not null as filled from pg_statistic_ext s left join pg_statistic_ext_data d on d.stxoid = s.oid
         where s.stxrelid = 'image'::regclass and stxname = 'S'`,
      ),
    ).toEqual([{ stxname: 'S', filled: true }]);
  });
});

describe('D27: exclusion constraints', () => {
  const booked = `create table image (id int primary key, during int4range, later int4range,
      constraint "no overlap" exclude using gist (during with &&) where (id > 0), constraint lazily exclude using gist (later with &&) deferrable initially deferred);
    comment on constraint "no overlap" on image is 'one at a time'; insert into image values (1, '[1,5)', '[1,5)'), (2, '[5,9)', '[5,9)')`;

  test('stay, with condition and deferrability', async () => {
    const api = await createApi(booked);
    await refreshTwice(api);
    await expect(api.run(`insert into image values (3, '[4,6)', null)`)).rejects.toThrow(/no overlap/);
  });

  test('rows that one forbids stop the run before the indexes, by its name', async () => {
    const api = await createApi(booked);
    const rowsFrom = (): string => `select * from public.image union all select 3, '[4,6)', null`;
    const [plan] = await buildTempTables(api, [image], { runId: 'run-1', rowsFrom });
    if (plan === undefined) throw new Error('no plan');
    await expect(buildUniqueKeys(api.url, plan)).rejects.toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      message: expect.stringContaining('no overlap') as string,
    });
    await api.run('delete from temp_import_image where id = 3');
    await buildUniqueKeys(api.url, plan);
    await addConstraints(api.url, plan);
  });
});

describe('D31: replica identity and publications', () => {
  test.each(['full', 'nothing', 'using index "by url"'])('replica identity %s stays', async (identity) => {
    const api =
      await createApi(`create table image (id int primary key, url text not null); create unique index "by url" on image (url);
      alter table image replica identity ${identity}`);
    await refreshTwice(api);
  });

  test('a publication names the promoted table, with columns and rows, and the previous one no more', async () => {
    const api =
      await createApi(`create table image (id int primary key, url text, secret text); create table beside (id int primary key);
      create publication p for table image (id, url) where (id > 2 and url <> 'x'), beside; create publication q for table only image`);
    await refreshTwice(api, async () => {
      expect(await api.rows(`select pubname, tablename from pg_publication_tables order by 1, 2`)).toEqual([
        { pubname: 'p', tablename: 'beside' },
        { pubname: 'p', tablename: 'image' },
        { pubname: 'q', tablename: 'image' },
      ]);
    });
  });

  test('one that is made while the run goes on is there after it', async () => {
    const api = await createApi('create table image (id int primary key)');
    const swap = await prepareRefresh(api, [image], { runId: 'run-1' });
    await api.run('create publication p for table image');
    await swapTables(swap);
    expect(await api.rows('select tablename from pg_publication_tables')).toEqual([{ tablename: 'image' }]);
  });

  test('of another owner it is refused before the copy, by name', async () => {
    const owner = uniqueName('owner');
    const api =
      await createApi(`create role ${owner}; grant create on schema public to ${owner}; create table image (id int primary key);
      alter table image owner to ${owner}; create publication p for table image`);
    try {
      await api.run(`grant create on database ${new URL(api.url).pathname.slice(1)} to ${owner}`);
      const shape = await describeTable(api.session, image);
      await api.session.query(`set role ${owner}`);
      await expect(rehearseTempTables(api.session, [{ shape, addedColumns: {} }])).rejects.toThrow(
        /publication p, which belongs to/,
      );
      await api.session.query('reset role');
    } finally {
      await api.run(`drop owned by ${owner} cascade; drop role ${owner}`);
    }
  });
});

const whyNot = await whyNoSystemPostgres();
if (whyNot !== null) console.warn(`Logical decoding on Postgres 15: ${whyNot}`);

describe.skipIf(whyNot !== null)(`D31: logical decoding${whyNot === null ? '' : ` (${whyNot})`}`, () => {
  let server: SystemPostgres;
  beforeAll(async () => {
    server = await startSystemPostgres();
  });
  afterAll(() => server.stop());

  test('subscribers get the changes of the promoted table under the live name, and neither its rows nor the previous table', async () => {
    const api = await createApi(
      `create table image (id int primary key, url text); insert into image values (1, 'a'); create publication p for table image`,
      server.url,
    );
    const slot = uniqueName('slot');
    await api.rows(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    try {
      const insideSwap = async (session: { query(sql: string): Promise<unknown> }): Promise<number> => {
        await session.query(`update public.temp_import_image set url = 'inside'`);
        return 1;
      };
      const { tables } = await refreshTables(api, [image], { runId: 'run-1', swap: { insideSwap } });
      await api.run(
        `insert into image values (2, 'after'); update "${tables[0]?.previous.name}" set url = 'previous'`,
      );
      const changes = await api.rows<{ data: Buffer }>(
        `select data from pg_logical_slot_get_binary_changes('${slot}', null, null, 'proto_version', '1', 'publication_names', 'p')`,
      );
      const text = changes.map(({ data }) => data.toString('latin1'));
      expect(text.filter((each) => each.startsWith('I'))).toHaveLength(1);
      expect(text.filter((each) => each.startsWith('U'))).toEqual([]);
      expect(text.find((each) => each.startsWith('I'))).toContain('after');
      expect(text.find((each) => each.startsWith('R'))).toContain('public\0image\0');
    } finally {
      await api.rows(`select pg_drop_replication_slot('${slot}')`);
    }
  });
});
