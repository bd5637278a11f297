import type { Session } from '../../../src/postgres/session.js';

/** A row as Postgres prints its values; null = null. */
export type Row = Readonly<Record<string, string | null>>;

export interface Column {
  readonly name: string;
  /** The text that the column's default gives, where it is a constant. */
  readonly constantDefault: string | null;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The columns of a table of the schema `public`, in order. */
export async function readColumns(session: Session, table: string): Promise<Column[]> {
  const { rows } = await session.query<{ name: string; expression: string | null }>(
    `select a.attname as name, pg_get_expr(d.adbin, d.adrelid) as expression
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [`public.${quoted(table)}`],
  );
  return rows.map(({ name, expression }) => ({
    name,
    constantDefault:
      /^(?:(\d+)|'([^']*)'::.*)$/
        .exec(expression ?? '')
        ?.slice(1)
        .find((text) => text !== undefined) ?? null,
  }));
}

/** All rows of a table or view of the schema `public`. */
export async function readRows(session: Session, table: string): Promise<Row[]> {
  const columns = await readColumns(session, table);
  const list = columns.map(({ name }) => `t.${quoted(name)}::text as ${quoted(name)}`).join(', ');
  await session.query(`set timezone = 'UTC'`);
  const { rows } = await session.query<Row>(`select ${list} from public.${quoted(table)} t`);
  return rows;
}

/** The identifiers that a deleted-media or sensitive-media table lists. */
export async function readIdentifiers(session: Session, table: string): Promise<Set<string>> {
  const { rows } = await session.query<{ identifier: string }>(
    `select identifier::text from public.${quoted(table)}`,
  );
  return new Set(rows.map(({ identifier }) => identifier));
}

/** The last id that a table has ever given: of its sequence, its rows, and the rows of tables that were live before. */
export async function readLastId(session: Session, table: string): Promise<number> {
  const { rows: names } = await session.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
       and (relname = $1 or relname ~ ('^freshet_previous_' || $1 || '_[0-9a-f]{8}$'))`,
    [table],
  );
  const ids = names.map(({ name }) => `select max(id)::bigint as id from public.${quoted(name)}`);
  const { rows } = await session.query<{ last: string | null }>(
    `select max(id)::text as last from (${ids.join(' union all ')}
       union all select pg_sequence_last_value(pg_get_serial_sequence($1, 'id')::regclass)) as given`,
    [`public.${quoted(table)}`],
  );
  return Number(rows[0]?.last ?? 0);
}
