import type { Session } from '../../src/postgres/session.js';
import type { Lane } from './lane.js';
import type { Document } from './model/documents.js';
import { tablesOf, type Media } from './model/media.js';
import { readShape } from './model/shape.js';
import { readIdentifiers, readLastId, readRows, type Row } from './model/tables.js';

/** What readers see of a media type. */
export interface View {
  /** By live table. */
  readonly tables: ReadonlyMap<string, readonly Row[]>;
  /** By document id. */
  readonly main: ReadonlyMap<string, Document>;
  readonly filtered: ReadonlyMap<string, Document>;
}

/** What there is before the run begins, as far as the end depends on it. */
export interface Baseline {
  readonly at: Date;
  readonly view: View;
  /** The run that made what was live before that. */
  readonly previousRun: string;
  /** What was live before that, by live table. */
  readonly previous: ReadonlyMap<string, readonly Row[]>;
  /** By live table: the last id that was ever given. */
  readonly lastIds: ReadonlyMap<string, number>;
  readonly shape: readonly string[];
  /** What the sensitive-media table lists. */
  readonly sensitive: ReadonlySet<string>;
  readonly relations: readonly string[];
  readonly runs: readonly string[];
  readonly swaps: readonly string[];
  readonly indexes: Readonly<Record<string, readonly string[]>>;
  /** Entries of lists: `list entry record`. */
  readonly entries: readonly string[];
}

export async function readView(lane: Lane, media: Media): Promise<View> {
  const tables = await lane.local.withApi(async (session) => {
    const found = new Map<string, readonly Row[]>();
    for (const { live } of tablesOf[media]) found.set(live, await readRows(session, live));
    return found;
  });
  const { main, filtered } = lane.aliasOf(media);
  return {
    tables,
    main: await lane.local.documents(main),
    filtered: await lane.local.documents(filtered),
  };
}

export async function readBaseline(lane: Lane, media: Media): Promise<Baseline> {
  const { local } = lane;
  const view = await readView(lane, media);
  const api = await local.withApi(async (session) => {
    const lastIds = new Map<string, number>();
    for (const { live } of tablesOf[media]) lastIds.set(live, await readLastId(session, live));
    return {
      previous: await readPrevious(session, media),
      previousRun: await readPreviousRun(session, media),
      lastIds,
      shape: await readShape(session, shapedTables(media)),
      sensitive: await readIdentifiers(session, `api_mature${media}`),
    };
  });
  return {
    at: new Date(),
    view,
    ...api,
    relations: await listRelations(lane),
    runs: await listRuns(lane),
    swaps: await listSwaps(lane),
    indexes: await local.indexes(),
    entries: await listEntries(lane, media),
  };
}

async function readPreviousRun(session: Session, media: Media): Promise<string> {
  const { rows } = await session.query<{ run: string }>(
    'select run_id as run from freshet.promotions where media = $1 order by promoted_at desc offset 1 limit 1',
    [media],
  );
  return rows[0]?.run ?? '';
}

async function readPrevious(session: Session, media: Media): Promise<Map<string, readonly Row[]>> {
  const { rows } = await session.query<{ live: string; name: string }>(
    `select live_name as live, name from freshet.parts where media = $1 and role = 'previous' and kind = 'table'`,
    [media],
  );
  const previous = new Map<string, readonly Row[]>();
  for (const { live, name } of rows) previous.set(live, await readRows(session, name));
  return previous;
}

/** The tables whose shape a refresh may touch. */
export function shapedTables(media: Media): string[] {
  return [...tablesOf[media].map(({ live }) => live), `${media}list_${media}s`];
}

/** Relations of the API's schema that are not tables that were live before. */
export async function listRelations(lane: Lane): Promise<string[]> {
  return lane.local.withApi(async (session) => {
    const { rows } = await session.query<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c left join pg_index i on i.indexrelid = c.oid left join pg_class t on t.oid = i.indrelid
       where c.relnamespace = 'public'::regnamespace and coalesce(t.relname, c.relname) !~ '^freshet_previous_' order by 1`,
    );
    return rows.map(({ name }) => name);
  });
}

export async function listRuns(lane: Lane): Promise<string[]> {
  return lane.local.withState(async (session) => {
    const { rows } = await session.query<{ id: string }>('select id from freshet.runs order by created_at');
    return rows.map(({ id }) => id);
  });
}

export async function listSwaps(lane: Lane): Promise<string[]> {
  return lane.local.withApi(async (session) => {
    const { rows } = await session.query<{ run: string }>(
      'select run_id as run from freshet.swaps order by swapped_at',
    );
    return rows.map(({ run }) => run);
  });
}

export async function listEntries(lane: Lane, media: Media): Promise<string[]> {
  return lane.local.withApi(async (session) => {
    const { rows } = await session.query<{ entry: string }>(
      `select concat_ws(' ', ${media}list_id, id, ${media}_id) as entry from public.${media}list_${media}s order by id`,
    );
    return rows.map(({ entry }) => entry);
  });
}

/** Entries that a swap put aside because their records vanished. */
export async function listKeptEntries(lane: Lane, media: Media): Promise<string[]> {
  return lane.local.withApi(async (session) => {
    const { rows: tables } = await session.query<{ name: string }>(
      `select schema_name || '.' || name as name from freshet.parts where kind = 'orphans' and media = $1`,
      [media],
    );
    const entries: string[] = [];
    for (const { name } of tables) {
      const { rows } = await session.query<{ entry: string }>(
        `select concat_ws(' ', ${media}list_id, id, ${media}_id) as entry from ${name}`,
      );
      entries.push(...rows.map(({ entry }) => entry));
    }
    return entries;
  });
}

/** How what readers see differs from what they saw, as sentences. */
export function differencesOfViews(before: View, after: View): string[] {
  return [
    ...[...before.tables].flatMap(([table, rows]) =>
      differences(`rows of ${table}`, byId(rows), byId(after.tables.get(table) ?? [])),
    ),
    ...differences('documents', before.main, after.main),
    ...differences('filtered documents', before.filtered, after.filtered),
  ];
}

function byId(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row['id'] ?? '', row]));
}

/** Keys of both sides whose values are not the same; at most a handful is told. */
export function differences(
  what: string,
  expected: ReadonlyMap<string, Fields>,
  found: ReadonlyMap<string, Fields>,
): string[] {
  const keys = new Set([...expected.keys(), ...found.keys()]);
  const problems = [...keys].flatMap((key) =>
    differingFields(`${what}, ${key}`, expected.get(key), found.get(key)),
  );
  return problems.length <= 5 ? problems : [...problems.slice(0, 5), `${what}: ${problems.length - 5} more`];
}

type Fields = Readonly<Record<string, unknown>>;

function differingFields(what: string, expected: Fields | undefined, found: Fields | undefined): string[] {
  if (expected === undefined || found === undefined) {
    return expected === found
      ? []
      : [`${what} ${found === undefined ? 'is missing' : 'should not be there'}`];
  }
  return [...new Set([...Object.keys(expected), ...Object.keys(found)])].flatMap((name) => {
    const [wanted, got] = [JSON.stringify(expected[name]), JSON.stringify(found[name])];
    return wanted === got ? [] : [`${what}: ${name} is ${got} instead of ${wanted}`];
  });
}
