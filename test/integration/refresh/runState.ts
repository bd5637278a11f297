import { expect } from 'vitest';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';

export interface RunRow {
  readonly id: string;
  readonly definition: string;
  readonly state: string;
  readonly attempt: number;
  readonly error: { readonly code: string; readonly remedy: string; readonly phase: string | null } | null;
  /** Seconds from the request to cancel it to its end. */
  readonly cancelSeconds: number | null;
}

/** The runs of the state database, oldest first. */
export async function readRuns(local: LocalEnvironment): Promise<RunRow[]> {
  return local.withState(async (session) => {
    const { rows } = await session.query<RunRow>(
      `select id, definition, state, attempt, error,
         extract(epoch from finished_at - cancel_requested_at)::float8 as "cancelSeconds"
       from freshet.runs order by created_at, id`,
    );
    return rows;
  });
}

/** The run of `definition` that is not over; waits for it. */
export async function waitForRun(local: LocalEnvironment, definition: string): Promise<string> {
  let found: string | undefined;
  const look = async (): Promise<string | undefined> => {
    const { rows } = await local.withState((session) =>
      session.query<{ id: string }>(
        'select id from freshet.runs where definition = $1 and finished_at is null order by created_at desc limit 1',
        [definition],
      ),
    );
    found = rows[0]?.id;
    return found;
  };
  await expect.poll(look, { timeout: 60_000, interval: 50 }).toBeDefined();
  return found ?? '';
}

export interface PhaseRow {
  readonly name: string;
  readonly state: string;
  readonly startedAt: string | null;
}

export async function readPhases(local: LocalEnvironment, runId: string): Promise<Map<string, PhaseRow>> {
  return local.withState(async (session) => {
    const { rows } = await session.query<PhaseRow>(
      `select name, state, started_at::text as "startedAt" from freshet.phases where run_id = $1 order by ordinal`,
      [runId],
    );
    return new Map(rows.map((row) => [row.name, row]));
  });
}

/** Waits until a phase of the run is in this state. */
export async function waitForPhase(
  local: LocalEnvironment,
  runId: string,
  phase: string,
  state = 'running',
): Promise<void> {
  const look = async (): Promise<string | undefined> => (await readPhases(local, runId)).get(phase)?.state;
  await expect.poll(look, { timeout: 60_000, interval: 50 }).toBe(state);
}

/** Waits until workers of the run are ready. @returns their process ids. */
export async function waitForWorkers(local: LocalEnvironment, runId: string): Promise<number[]> {
  let pids: number[] = [];
  const look = async (): Promise<number> => {
    const { rows } = await local.withState((session) =>
      session.query<{ pid: number }>(
        `select pid from freshet.workers where run_id = $1 and state = 'ready' and pid is not null`,
        [runId],
      ),
    );
    pids = rows.map(({ pid }) => pid);
    return pids.length;
  };
  await expect.poll(look, { timeout: 60_000, interval: 50 }).toBeGreaterThan(0);
  return pids;
}

/** What readers and writers of the API have: tables by oid, rows, documents, aliases. */
export async function readLive(local: LocalEnvironment): Promise<unknown> {
  const { rows: tables } = await local.withApi((session) =>
    session.query(
      `select c.relname, c.oid, c.relkind from pg_class c
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'S', 'i', 'v') order by 1`,
    ),
  );
  const { rows } = await local.withApi((session) =>
    session.query('select id, identifier, url, title from public.image order by id'),
  );
  const documents = [...(await local.documents(local.aliases.image))].sort();
  return { tables, rows, documents, indexes: await local.indexes() };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What a run that ended must not have left anywhere: nothing but its row and its phases. */
export async function expectNothingLeft(local: LocalEnvironment, runId: string): Promise<void> {
  const backends = `select application_name from pg_stat_activity
    where datname = current_database() and position($1 in application_name) > 0`;
  expect((await local.withCatalog((session) => session.query(backends, [runId]))).rows).toEqual([]);
  expect((await local.withApi((session) => session.query(backends, [runId]))).rows).toEqual([]);
  const { rows: temps } = await local.withApi((session) =>
    session.query(`select relname from pg_class where relname like 'temp_import%'`),
  );
  expect(temps).toEqual([]);
  for (const table of ['applied', 'removed', 'holders', 'parts', 'swaps']) {
    const { rows } = await local.withApi((session) =>
      session.query(`select run_id from freshet.${table} where run_id = $1`, [runId]),
    );
    expect(rows, `rows of the run in freshet.${table}`).toEqual([]);
  }
  expect(Object.values(await local.indexes()).flat()).not.toContainEqual(
    expect.stringContaining('freshet-write-'),
  );
  const tasks = await local.search<unknown>('_tasks?actions=*reindex&detailed=true');
  expect(JSON.stringify(tasks)).not.toContain(local.aliases.image);
  await local.withState(async (session) => {
    const { rows: leases } = await session.query('select * from freshet.leases where run_id = $1', [runId]);
    expect(leases).toEqual([]);
    const { rows: generations } = await session.query(
      `select state from freshet.generations where run_id = $1 and state <> 'gone'`,
      [runId],
    );
    expect(generations).toEqual([]);
    const { rows: workers } = await session.query<{ state: string; pid: number | null }>(
      'select state, pid from freshet.workers where run_id = $1',
      [runId],
    );
    expect(workers.filter(({ state }) => state !== 'gone')).toEqual([]);
    expect(workers.filter(({ pid }) => pid !== null && isAlive(pid))).toEqual([]);
  });
}

/** What the specification asks of a finished refresh, read from catalog, tables and index themselves. */
export async function expectCatalogIsLive(local: LocalEnvironment): Promise<void> {
  const { rows: catalog } = await local.withCatalog((session) =>
    session.query<{ identifier: string; url: string; removed: boolean }>(
      'select identifier, url, removed_from_source as removed from public.image',
    ),
  );
  const { rows: deleted } = await local.withApi((session) =>
    session.query<{ identifier: string }>('select identifier from public.api_deletedimage'),
  );
  const { rows } = await local.withApi((session) =>
    session.query<{ id: number; identifier: string; url: string }>(
      'select id, identifier, url from public.image',
    ),
  );
  const isDeleted = new Set(deleted.map(({ identifier }) => identifier));
  const wanted = catalog.filter(({ identifier }) => !isDeleted.has(identifier));
  expect(new Map(rows.map((row) => [row.identifier, row.url]))).toEqual(
    new Map(wanted.map((row) => [row.identifier, row.url])),
  );
  expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  await expectDocuments(
    local,
    rows,
    new Set(wanted.filter(({ removed }) => removed).map(({ identifier }) => identifier)),
  );
}

/** Documents under both aliases = rows that are not removed, by id. */
async function expectDocuments(
  local: LocalEnvironment,
  rows: readonly { readonly id: number; readonly identifier: string; readonly url: string }[],
  removed: ReadonlySet<string>,
): Promise<void> {
  const eligible = new Map(
    rows
      .filter((row) => !removed.has(row.identifier))
      .map((row) => [String(row.id), [row.identifier, row.url]]),
  );
  // Without sensitive terms the filtered index has all documents.
  for (const alias of [local.aliases.image, `${local.aliases.image}-filtered`]) {
    const documents = await local.documents(alias);
    const found = new Map(
      [...documents].map(([id, document]) => [id, [document['identifier'], document['url']]]),
    );
    expect(found).toEqual(eligible);
  }
}

/** What a retry keeps or makes anew: each thing by what tells it from another one in its place. */
export interface Made {
  readonly tempTable: number | null;
  readonly mainIndex: string | null;
  readonly filteredIndex: string | null;
  readonly slices: readonly { readonly state: string; readonly attempt: number }[];
  readonly phases: ReadonlyMap<string, PhaseRow>;
}

export async function readMade(local: LocalEnvironment, runId: string, suffix: string): Promise<Made> {
  const { rows } = await local.withApi((session) =>
    session.query<{ oid: number }>('select oid from freshet.parts where run_id = $1', [runId]),
  );
  const { rows: slices } = await local.withState((session) =>
    session.query<{ state: string; attempt: number }>(
      'select state, attempt from freshet.slices where run_id = $1 order by ordinal',
      [runId],
    ),
  );
  const uuidOf = async (name: string): Promise<string | null> => {
    const found = await local.search<Record<string, { settings?: { index: { uuid: string } } }>>(
      `${name}/_settings`,
    );
    return found[name]?.settings?.index.uuid ?? null;
  };
  const index = `${local.aliases.image}-${suffix}`;
  return {
    tempTable: rows[0]?.oid ?? null,
    mainIndex: await uuidOf(index),
    filteredIndex: await uuidOf(`${index}-filtered`),
    slices,
    phases: await readPhases(local, runId),
  };
}
