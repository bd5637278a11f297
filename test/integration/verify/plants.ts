import type { Session } from '../../../src/postgres/session.js';

/** Where differences are planted. */
export interface Place {
  readonly catalog: Session;
  readonly api: Session;
  /** URL of the search engine. */
  readonly searchUrl: string;
  readonly media: 'image' | 'audio';
  readonly main: string;
  readonly filtered: string;
  /** Whether some documents have a sensitive term. Default true. */
  readonly hasTerms?: boolean;
}

interface Row {
  readonly id: string;
  readonly identifier: string;
}

type Document = Record<string, unknown>;

/** One kind of difference. In SQL `:id`, `:identifier` stand for the row's, `:new` for an id and `:fresh` for an identifier that nobody has. */
interface Recipe {
  /** Of rows that can have it, by their columns. */
  readonly needs?: string;
  /** The row's document has a sensitive term: it is in the main index only. Default: it is in both. */
  readonly isSensitive?: boolean;
  readonly api?: string;
  readonly catalog?: string;
  /** Documents to write; null = it is deleted. */
  readonly main?: Record<string, (document: Document) => Document | null>;
  readonly filtered?: Record<string, (document: Document) => Document | null>;
  /** `kind [key [columns]]`; `@` = the table, `main`, `filtered`. */
  readonly tells: readonly string[];
}

const gone = { ':id': () => null };
const retitled = { ':id': (document: Document) => ({ ...document, title: 'planted' }) };
const copied = { ':new': (document: Document) => ({ ...document, id: 900_000_000 }) };

const without =
  (field: string) =>
  (document: Document): Document =>
    Object.fromEntries(Object.entries(document).filter(([name]) => name !== field));

function newRow(table: string, changes: string): string {
  return `insert into public.${table} select (jsonb_populate_record(null::public.${table}, to_jsonb(t) || jsonb_build_object(
    'identifier', ':fresh', 'url', 'https://planted.example.org/:new', 'foreign_identifier', 'planted-:new'${changes}))).*
    from public.${table} t where identifier = ':identifier'`;
}

function set(assignment: string): string {
  return `update public.@ set ${assignment} where identifier = ':identifier'`;
}

/** The set of a record would change with it. */
const noSet = `to_jsonb(t) ->> 'audio_set_foreign_identifier' is null`;

const everywhere: readonly Recipe[] = [
  // Rows
  {
    api: 'delete from public.@ where id = :id',
    main: gone,
    filtered: gone,
    tells: ['rowMissing @ :identifier'],
  },
  {
    api: 'delete from public.@ where id = :id',
    tells: ['rowMissing @ :identifier', 'documentExtra main :id', 'filteredExtra filtered :id'],
  },
  {
    api: newRow('@', `, 'id', :new, 'removed_from_source', true`),
    tells: ['rowExtra @ :fresh'],
  },
  {
    api: newRow('@', `, 'id', :new`),
    tells: ['rowExtra @ :fresh', 'documentMissing main :new'],
  },
  { catalog: newRow('@', ''), needs: noSet, tells: ['rowMissing @ :fresh'] },
  {
    catalog: `delete from public.@ where identifier = ':identifier'`,
    needs: noSet,
    tells: ['rowExtra @ :identifier'],
  },
  // Values
  { catalog: set(`title = 'planted'`), tells: ['rowChanged @ :identifier title'] },
  {
    api: set(`foreign_landing_url = foreign_landing_url || '#planted'`),
    needs: 'foreign_landing_url is not null',
    tells: ['rowChanged @ :identifier foreign_landing_url'],
  },
  {
    api: set('filesize = null'),
    needs: 'filesize is not null',
    tells: ['rowChanged @ :identifier filesize'],
  },
  { api: set('filesize = 0'), needs: 'filesize is null', tells: ['rowChanged @ :identifier filesize'] },
  { api: set(`thumbnail = ''`), needs: 'thumbnail is null', tells: ['rowChanged @ :identifier thumbnail'] },
  {
    api: set(`thumbnail = replace(thumbnail, '/', E'\\t\\\\\\n')`),
    needs: `thumbnail like '%/%'`,
    tells: ['rowChanged @ :identifier thumbnail'],
  },
  {
    api: set(`meta_data = meta_data || '{"planted": 1e2}'`),
    needs: `jsonb_typeof(meta_data) = 'object'`,
    tells: ['rowChanged @ :identifier meta_data'],
  },
  {
    api: set(`tags = jsonb_set(tags, '{0,provider}', '"planted"')`),
    needs: `jsonb_typeof(tags -> 0 -> 'name') = 'string'`,
    tells: ['rowChanged @ :identifier tags'],
  },
  {
    api: set(`tags = tags || '{"name": "planted", "accuracy": 0.950}'`),
    needs: `jsonb_typeof(tags -> 0) = 'object'`,
    tells: [
      'rowChanged @ :identifier tags',
      'documentChanged main :id tags',
      'filteredChanged filtered :id tags',
    ],
  },
  {
    api: set(`last_synced_with_source = 'infinity'`),
    needs: 'isfinite(last_synced_with_source)',
    tells: ['rowChanged @ :identifier last_synced_with_source'],
  },
  {
    api: set(`last_synced_with_source = last_synced_with_source + interval '1 microsecond'`),
    needs: `last_synced_with_source between '2000-01-01' and '2100-01-01'`,
    tells: ['rowChanged @ :identifier last_synced_with_source'],
  },
  {
    api: set(`created_on = '-infinity'`),
    needs: 'isfinite(created_on)',
    tells: [
      'rowChanged @ :identifier created_on',
      'documentChanged main :id created_on',
      'filteredChanged filtered :id created_on',
    ],
  },
  { api: set('watermarked = watermarked is not true'), tells: ['rowChanged @ :identifier watermarked'] },
  {
    api: set('removed_from_source = true'),
    tells: [
      'rowChanged @ :identifier removed_from_source',
      'documentExtra main :id',
      'filteredExtra filtered :id',
    ],
  },
  {
    api: set(`license_version = license_version || ' '`),
    needs: 'license_version is not null',
    tells: ['rowChanged @ :identifier license_version'],
  },
  // The next number that a double can hold.
  {
    catalog: set('standardized_popularity = standardized_popularity * (1 + 2.3e-16::float8)'),
    needs: 'standardized_popularity between 0.6 and 0.9',
    tells: ['rowChanged @ :identifier standardized_popularity'],
  },
  {
    catalog: set(`standardized_popularity = 'NaN'`),
    needs: 'standardized_popularity between 0.1 and 0.9',
    tells: ['rowChanged @ :identifier standardized_popularity'],
  },
  // Documents
  { main: gone, filtered: gone, tells: ['documentMissing main :id'] },
  { main: gone, tells: ['documentMissing main :id'] },
  { main: gone, isSensitive: true, tells: ['documentMissing main :id'] },
  { main: retitled, tells: ['documentChanged main :id title'] },
  {
    main: { ':id': (document) => ({ ...document, mature: document['mature'] !== true }) },
    tells: ['documentChanged main :id mature'],
  },
  {
    main: { ':id': (document) => ({ ...document, id: Number(document['id']) + 1_000_000 }) },
    tells: ['documentChanged main :id id'],
  },
  {
    main: { ':id': (document) => ({ ...document, min_boost: Number(document['min_boost']) / 2 }) },
    tells: ['documentChanged main :id min_boost'],
  },
  { main: { ':id': without('id') }, tells: ['documentChanged main :id id'] },
  { main: { ':id': without('license') }, tells: ['documentChanged main :id license'] },
  {
    main: copied,
    filtered: copied,
    tells: ['documentExtra main :new', 'filteredExtra filtered :new'],
  },
  { main: { 'planted-:new': (document) => document }, tells: ['documentExtra main planted-:new'] },
  { main: { ':new': without('id') }, tells: ['documentExtra main :new'] },
  // The filtered index
  { filtered: gone, tells: ['filteredMissing filtered :id'] },
  { filtered: retitled, tells: ['filteredChanged filtered :id title'] },
  { filtered: copied, tells: ['filteredExtra filtered :new'] },
  {
    isSensitive: true,
    filtered: { ':id': (document) => document },
    tells: ['filteredSensitive filtered :id'],
  },
];

const audioOnly: readonly Recipe[] = [
  {
    api: set(`genres = genres || '{planted}'`),
    needs: 'genres is not null',
    tells: ['rowChanged @ :identifier genres'],
  },
  { api: set(`genres = '{null}'`), needs: 'genres is not null', tells: ['rowChanged @ :identifier genres'] },
  { api: set(`genres = '{}'`), needs: 'genres is null', tells: ['rowChanged @ :identifier genres'] },
  {
    api: set('audio_set_position = audio_set_position + 1'),
    needs: 'audio_set_position is not null',
    tells: ['rowChanged @ :identifier audio_set_position'],
  },
  {
    api: set(`alt_files = jsonb_set(alt_files, '{0,planted}', 'null')`),
    needs: `jsonb_typeof(alt_files -> 0) = 'object'`,
    tells: ['rowChanged @ :identifier alt_files'],
  },
];

/** Plants each kind of difference, each in a row of its own, again and again until there are `count`. @returns what is to be told, sorted. */
export async function plantDifferences(place: Place, count: number): Promise<string[]> {
  const all = place.media === 'audio' ? [...everywhere, ...audioOnly] : everywhere;
  const recipes = all.filter(({ isSensitive }) => isSensitive !== true || place.hasTerms !== false);
  const told: string[] = [];
  const used: string[] = [];
  const newId = await firstNewId(place);
  for (let planted = 0; planted < count;) {
    for (const [kind, recipe] of recipes.entries()) {
      const wanted = Math.min(Math.ceil(count / recipes.length), count - planted);
      const rows = wanted <= 0 ? [] : await chooseRows(place, recipe, used, wanted);
      for (const row of rows) {
        used.push(row.id);
        told.push(...(await plant(place, recipe, row, newId + planted, `${kind}`)));
        planted += 1;
      }
    }
  }
  await fetch(`${place.searchUrl}/${place.main},${place.filtered}/_refresh`, { method: 'POST' });
  return told.sort();
}

async function firstNewId({ api, media }: Place): Promise<number> {
  const { rows } = await api.query<{ id: number }>(`select max(id)::int + 1000 as id from public.${media}`);
  return rows[0]?.id ?? 0;
}

/** Rows with a document that no other difference has. */
async function chooseRows(
  place: Place,
  recipe: Recipe,
  used: readonly string[],
  wanted: number,
): Promise<Row[]> {
  const { api, media, filtered } = place;
  const { rows } = await api.query<Row>(
    `select id::text as id, identifier::text as identifier from public.${media} t
     where removed_from_source is not true and id <> all($1::int[]) and (${recipe.needs ?? 'true'})
       and identifier not in (select identifier from public.api_deleted${media})
     order by hashint4(id) limit 2000`,
    [used],
  );
  const inMain = await readDocuments(place, place.main, rows);
  const inFiltered = await readDocuments(place, filtered, rows);
  const fitting = rows.filter(
    ({ id }) => inMain.has(id) && inFiltered.has(id) !== (recipe.isSensitive ?? false),
  );
  if (fitting.length < wanted) throw new Error(`only ${fitting.length} rows can have ${recipe.tells.join()}`);
  return fitting.slice(0, wanted);
}

async function plant(place: Place, recipe: Recipe, row: Row, newId: number, salt: string): Promise<string[]> {
  const fresh = `00000000-0000-4000-8000-${`${newId}${salt.padStart(2, '0')}`.padStart(12, '0')}`;
  const fill = (text: string): string =>
    text
      .replaceAll('@', place.media)
      .replaceAll(':identifier', row.identifier)
      .replaceAll(':id', row.id)
      .replaceAll(':new', String(newId))
      .replaceAll(':fresh', fresh);
  for (const side of ['api', 'catalog'] as const) {
    const statement = recipe[side];
    if (statement === undefined) continue;
    const { rowCount } = await place[side].query(fill(statement));
    if (rowCount !== 1) throw new Error(`${fill(statement)} changed ${rowCount} rows`);
  }
  // Both indexes get what the main one had: the sensitive ones are not in the filtered one.
  const source = (await readDocuments(place, place.main, [row])).get(row.id) ?? {};
  for (const index of ['main', 'filtered'] as const) {
    for (const [id, change] of Object.entries(recipe[index] ?? {})) {
      await writeDocument(place, place[index], fill(id), change(source));
    }
  }
  return recipe.tells.map((line) => {
    const [kind, where = '', ...rest] = line.split(' ');
    const named = where === 'main' || where === 'filtered' ? place[where] : fill(where);
    return [kind, named, ...rest.map(fill)].join(' ');
  });
}

async function readDocuments(
  { searchUrl }: Place,
  index: string,
  rows: readonly Row[],
): Promise<Map<string, Document>> {
  if (rows.length === 0) return new Map();
  const answer = await fetch(`${searchUrl}/${index}/_mget`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ids: rows.map(({ id }) => id) }),
  });
  const { docs } = (await answer.json()) as { docs: { _id: string; _source?: Document }[] };
  return new Map(
    docs.flatMap(({ _id: id, _source: source }) => (source === undefined ? [] : [[id, source]])),
  );
}

async function writeDocument(
  { searchUrl }: Place,
  index: string,
  id: string,
  document: Document | null,
): Promise<void> {
  const answer = await fetch(`${searchUrl}/${index}/_doc/${encodeURIComponent(id)}`, {
    method: document === null ? 'DELETE' : 'PUT',
    headers: { 'content-type': 'application/json' },
    ...(document === null ? {} : { body: JSON.stringify(document) }),
  });
  if (!answer.ok) throw new Error(`${index}/${id}: ${answer.status} ${await answer.text()}`);
}

/** Plants three differences in the additional table of audio. @returns what is to be told. */
export async function plantInSets({ api }: Place): Promise<string[]> {
  const { rows } = await api.query<{ id: number; key: string }>(
    `select id, foreign_identifier || ', ' || provider as key from public.audioset order by hashint4(id) limit 2`,
  );
  const [first, second] = rows;
  if (first === undefined || second === undefined) throw new Error('there are no sets');
  await api.query('delete from public.audioset where id = $1', [first.id]);
  await api.query(`update public.audioset set title = coalesce(title, '') || E'\\\n' where id = $1`, [
    second.id,
  ]);
  await api.query(
    `insert into public.audioset (id, created_on, updated_on, foreign_identifier, provider) values (99999, now(), now(), E'a\tb', 'planted')`,
  );
  return [
    `rowMissing audioset ${first.key}`,
    `rowChanged audioset ${second.key} title`,
    'rowExtra audioset a\tb, planted',
  ];
}
