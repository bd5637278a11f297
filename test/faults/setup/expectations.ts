import { expect } from 'vitest';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';

interface Row {
  readonly id: number;
  readonly identifier: string;
  readonly url: string;
}

/** Rows and documents that readers of the API find. */
export interface LiveRecords {
  readonly rows: readonly Row[];
  readonly documents: ReadonlyMap<string, Record<string, unknown>>;
}

export async function readLiveRecords(local: LocalEnvironment): Promise<LiveRecords> {
  const { rows } = await local.withApi((session) =>
    session.query<Row>('select id, identifier, url from public.image order by id'),
  );
  return { rows, documents: await local.documents(local.aliases.image) };
}

/** What the specification asks of a finished refresh, computed from the catalog alone: rows, documents, nothing left behind, nothing going on. */
export async function expectCatalogIsLive(local: LocalEnvironment): Promise<void> {
  const { rows: catalog } = await local.withCatalog((session) =>
    session.query<{ identifier: string; url: string; removed: boolean }>(
      'select identifier, url, removed_from_source as removed from public.image',
    ),
  );
  const { rows, documents } = await readLiveRecords(local);
  expect(new Map(rows.map((row) => [row.identifier, row.url]))).toEqual(
    new Map(catalog.map((row) => [row.identifier, row.url])),
  );
  expect(new Set(rows.map((row) => row.id)).size).toBe(catalog.length);
  const removed = new Set(catalog.filter((row) => row.removed).map((row) => row.identifier));
  const eligible = rows.filter((row) => !removed.has(row.identifier));
  expect(new Map([...documents].map(([id, { identifier, url }]) => [id, [identifier, url]]))).toEqual(
    new Map(eligible.map((row) => [String(row.id), [row.identifier, row.url]])),
  );
  await expectFilteredIsRight(local, documents);
  await expectEverythingRead(local);
  await expectNoLeftovers(local);
}

/** The filtered alias has what the main one has, but for the documents with sensitive terms; never one of another generation. */
async function expectFilteredIsRight(
  local: LocalEnvironment,
  documents: LiveRecords['documents'],
): Promise<void> {
  const filtered = await local.documents(`${local.aliases.image}-filtered`);
  const { rows } = await local.withState((session) =>
    session.query<{ matched: number }>(
      `select (result->>'matched')::int as matched from freshet.phases p join freshet.runs r on r.id = p.run_id
       where p.name = 'filtered-index' and r.state = 'succeeded' order by r.finished_at desc limit 1`,
    ),
  );
  expect(filtered.size + (rows[0]?.matched ?? NaN)).toBe(documents.size);
  for (const [id, document] of filtered) expect(documents.get(id)).toEqual(document);
}

/** I3: every row of the table was read once, and became something. */
async function expectEverythingRead(local: LocalEnvironment): Promise<void> {
  const { rows } = await local.withState((session) =>
    session.query<{ open: string; read: string; settled: string }>(
      `select count(*) filter (where s.state <> 'done') as open, sum((counts->>'read')::int) as read,
         sum((counts->>'indexed')::int + (counts->>'removed')::int + (counts->>'deleted')::int + (counts->>'rejected')::int) as settled
       from freshet.slices s where s.run_id = (select id from freshet.runs where state = 'succeeded' order by finished_at desc limit 1)`,
    ),
  );
  const { rows: table } = await local.withApi((session) =>
    session.query<{ rows: string }>('select count(*) as rows from public.image'),
  );
  expect(rows[0]).toEqual({ open: '0', read: table[0]?.rows, settled: table[0]?.rows });
}

/** I2: whichever generation is live, tables and both aliases are of the same one. */
export async function expectOneGeneration(local: LocalEnvironment): Promise<void> {
  const { rows: removed } = await local.withApi((session) =>
    session.query<{ id: number }>('select id from public.image where removed_from_source'),
  );
  const { rows, documents } = await readLiveRecords(local);
  const gone = new Set(removed.map(({ id }) => id));
  const eligible = rows.filter(({ id }) => !gone.has(id));
  expect(new Map([...documents].map(([id, { identifier, url }]) => [id, [identifier, url]]))).toEqual(
    new Map(eligible.map((row) => [String(row.id), [row.identifier, row.url]])),
  );
  const filtered = await local.documents(`${local.aliases.image}-filtered`);
  expect(filtered.size).toBeGreaterThan(0);
  for (const [id, document] of filtered) expect(documents.get(id)).toEqual(document);
}

async function expectNoLeftovers(local: LocalEnvironment): Promise<void> {
  const { rows: temp } = await local.withApi((session) =>
    session.query(`select relname from pg_class where relname like 'temp_import%'`),
  );
  expect(temp).toEqual([]);
  const indexes = Object.values(await local.indexes());
  expect(indexes.flat().toSorted()).toEqual([local.aliases.image, `${local.aliases.image}-filtered`]);
  const { rows: open } = await local.withState((session) =>
    session.query(
      `select run_id as id from freshet.leases union select id from freshet.runs where finished_at is null
       union select run_id from freshet.workers where state <> 'gone'`,
    ),
  );
  expect(open).toEqual([]);
  const { rows: held } = await local.withApi((session) =>
    session.query('select run_id from freshet.holders'),
  );
  expect(held).toEqual([]);
  const { rows: swaps } = await local.withApi((session) =>
    session.query<{ run: string }>(
      'select run_id as run from freshet.swaps order by swapped_at desc limit 2',
    ),
  );
  const { rows: promoted } = await local.withState((session) =>
    session.query<{ run: string }>(
      `select id as run from freshet.runs where state = 'succeeded' and flow = 'refresh' order by finished_at desc limit 2`,
    ),
  );
  expect(swaps).toEqual(promoted);
}

/** Other records to refresh to: one goes, one changes, one comes. */
export async function changeCatalog(local: LocalEnvironment, round: number): Promise<void> {
  await local.withCatalog((session) =>
    session.query(
      `delete from public.image where identifier = (select min(identifier::text)::uuid from public.image);
       update public.image set url = 'https://changed.example.org/${round}.jpg'
         where identifier = (select max(identifier::text)::uuid from public.image);
       insert into public.image (identifier, created_on, updated_on, provider, source, foreign_identifier, url, license, removed_from_source)
         values (gen_random_uuid(), now(), now(), 'met', 'met', 'round-${round}', 'https://new.example.org/${round}.jpg', 'by', false)`,
    ),
  );
}
