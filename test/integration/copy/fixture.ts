import { inject } from 'vitest';
import { copyMedia, type CopyOptions, type CopyResult } from '../../../src/copy/copyMedia.js';
import type { CopiedMedia, TableCopyResult } from '../../../src/copy/types.js';
import { withSession } from '../../../src/postgres/session.js';
import { createApiTables, createCatalogTables } from '../../../src/sample/index.js';
import { createDatabase, uniqueName, type TestDatabase } from '../../setup/databases.js';

export { mappingOf, mediaOf, plainMedia } from './media.js';

export type Row = Record<string, unknown>;

/** A catalog and an API database of one test. */
export class CopyFixture {
  private constructor(
    readonly catalog: TestDatabase,
    readonly api: TestDatabase,
  ) {}

  /** With the tables of the specification, empty; or without any. */
  static async create({ tables = true } = {}): Promise<CopyFixture> {
    const parts = inject('parts');
    const fixture = new CopyFixture(
      await createDatabase(parts.catalogUrl),
      await createDatabase(parts.apiUrl),
    );
    if (tables) {
      await withSession(fixture.catalog.url, setUp, createCatalogTables);
      await withSession(fixture.api.url, setUp, createApiTables);
    }
    return fixture;
  }

  async drop(): Promise<void> {
    await this.catalog.drop();
    await this.api.drop();
  }

  optionsOf(media: CopiedMedia, changes: Partial<CopyOptions> = {}): CopyOptions {
    return {
      catalogUrl: this.catalog.url,
      apiUrl: this.api.url,
      media,
      runId: uniqueName('run'),
      version: '0',
      recordLimit: null,
      allowEmpty: false,
      isRunOver: () => true,
      onProgress: () => undefined,
      signal: new AbortController().signal,
      ...changes,
    };
  }

  copy(media: CopiedMedia, changes: Partial<CopyOptions> = {}): Promise<CopyResult> {
    return copyMedia(this.optionsOf(media, changes));
  }

  /** Copies and gives what the main table's copy reports. */
  async copyMain(media: CopiedMedia, changes: Partial<CopyOptions> = {}): Promise<TableCopyResult> {
    const [main] = (await this.copy(media, changes)).tables;
    if (main === undefined) throw new Error('no table was copied');
    return main;
  }

  inCatalog<R extends Row = Row>(sql: string, values: unknown[] = []): Promise<R[]> {
    return query<R>(this.catalog.url, sql, values);
  }

  inApi<R extends Row = Row>(sql: string, values: unknown[] = []): Promise<R[]> {
    return query<R>(this.api.url, sql, values);
  }

  /** Adds records to the catalog's table; what is not given is filled in. `tags` is a JSON text. */
  async addRecords(table: 'image' | 'audio', rows: readonly Row[]): Promise<void> {
    for (const row of rows) await this.addRecord(table, row);
  }

  private async addRecord(table: string, row: Row): Promise<void> {
    const identifier = row['identifier'] as string;
    const whole: Row = {
      created_on: '2024-01-02T03:04:05.678901Z',
      updated_on: '2024-02-03T04:05:06Z',
      provider: 'flickr',
      source: 'flickr',
      foreign_identifier: identifier,
      url: `https://example.org/${identifier}`,
      license: 'by',
      removed_from_source: false,
      ...row,
      identifier,
    };
    const names = Object.keys(whole);
    const marks = names.map((_, i) => `$${i + 1}`).join(', ');
    await this.inCatalog(
      `insert into ${table} (${names.map((name) => `"${name}"`).join(', ')}) values (${marks})`,
      Object.values(whole),
    );
  }

  /** Rows that are cheap to make: `count` records, numbered from 1. */
  async addManyImages(count: number, tags = '[]'): Promise<void> {
    await this.inCatalog(
      `insert into image (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source, tags)
       select md5(i::text)::uuid, now(), now(), 'flickr', 'flickr', i::text, 'https://example.org/' || i, 'by', false, $2::jsonb
       from generate_series(1, $1) i`,
      [count, tags],
    );
  }

  /** What the swap does, as far as the next copy can tell. */
  async promote(table: string, nextId: bigint): Promise<void> {
    const temp = `temp_import_${table}`;
    const columns = await this.inApi<{ list: string }>(
      `select string_agg(quote_ident(a.attname), ', ') as list from pg_attribute a where attrelid = $1::text::regclass
       and attnum > 0 and not attisdropped and exists (select from pg_attribute b where b.attrelid = $2::text::regclass and b.attname = a.attname)`,
      [table, temp],
    );
    const list = columns[0]?.list ?? '';
    await this.inApi(
      `delete from ${table}; insert into ${table} (${list}) select ${list} from ${temp};
       select setval(pg_get_serial_sequence('${table}', 'id'), ${nextId - 1n}); drop table ${temp}; delete from freshet.parts`,
    );
  }

  /** What a copy leaves in both databases that was not there before: relations, marks, sessions. */
  async leftovers(runId: string): Promise<Row[]> {
    const sessions = `select 'session' as kind, application_name as name from pg_stat_activity where datname = current_database() and application_name like 'freshet copy%'`;
    const api = await this.inApi(
      `${sessions} union all select 'table', relname from pg_class where relname like 'temp\\_import%' or relname ~ '^(keys|joined|list)_\\d'
       union all select 'lock', locktype from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    );
    const [marks] = await this.inApi<{ present: boolean }>(
      `select to_regclass('freshet.parts') is not null as present`,
    );
    const rows =
      marks?.present === true
        ? await this.inApi(
            `select 'mark' as kind, oid::text as name from freshet.parts where run_id = $1
             union all select 'applied', relation from freshet.applied where run_id = $1`,
            [runId],
          )
        : [];
    return [...(await this.inCatalog(sessions)), ...api, ...rows];
  }
}

const setUp = { applicationName: 'test setup', called: 'test database' };

async function query<R extends Row>(url: string, sql: string, values: unknown[]): Promise<R[]> {
  return withSession(url, setUp, async (session) => {
    await session.query('set search_path = public');
    const { rows } = await session.query<R>(sql, values);
    return rows;
  });
}

/** A UUID that tells its number. */
export function identifierOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}
