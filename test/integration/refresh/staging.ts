import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import {
  LocalEnvironment,
  outcomeOf,
  type CommandOutcome,
  type LocalOptions,
} from '../../setup/localEnvironment.js';
import type { TestParts } from '../../setup/parts.js';

/** Staging on databases of its own: commands only add runs, orchestrators execute them. */
export async function createStaging(
  parts: TestParts,
  options: { overrides?: LocalOptions['overrides']; records?: number } = {},
): Promise<LocalEnvironment> {
  const overrides = options.overrides ?? { environments: { staging: staging() } };
  const environment = await LocalEnvironment.create(parts, { overrides });
  await environment.writeFile('terms.txt', 'lighthouse\n');
  const { records = 600 } = options;
  if (records > 0)
    await fillCatalog({ catalogUrl: environment.catalog.url, media: 'image', records, seed: 5 });
  return environment;
}

/** What tests lay over the preset's staging: one worker, one shard. */
export function staging(image: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { workers: 1, media: { image: { shards: 1, ...image }, audio: { shards: 1 } } };
}

/** Only staging has URLs. */
export function stagingVariables(environment: LocalEnvironment): Record<string, string> {
  return {
    FRESHET_API_URL: '',
    FRESHET_SEARCH_URL: '',
    FRESHET_STAGING_API_URL: environment.api.url,
    FRESHET_STAGING_SEARCH_URL: environment.searchUrl,
    FRESHET_SENSITIVE_TERMS: `${environment.folder}/terms.txt`,
  };
}

/** A running `freshet up`. */
export interface Up {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<CommandOutcome>;
  /** What it has written to stderr so far. */
  said(): string;
  /** Waits until it has written this. */
  says(pattern: RegExp, limitMs?: number): Promise<void>;
}

export function startUp(environment: LocalEnvironment, variables: Readonly<Record<string, string>> = {}): Up {
  const child = environment.spawn(['up'], { ...stagingVariables(environment), ...variables });
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const says = (pattern: RegExp, limitMs = 90_000): Promise<void> =>
    until(`the process to say ${String(pattern)}`, () => pattern.test(text), limitMs).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; it said:\n${text}`);
      },
    );
  return { child, pid: child.pid ?? 0, ended: outcomeOf(child), said: () => text, says };
}

/** Waits for a signal, with a limit. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await sleep(50);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The only run's id, as soon as there is one. */
export async function readRuns(
  environment: LocalEnvironment,
): Promise<{ id: string; state: string; definition: string }[]> {
  return environment.withState(async (session) => {
    const { rows: table } = await session.query<{ there: boolean }>(
      `select to_regclass('freshet.runs') is not null as there`,
    );
    if (table[0]?.there !== true) return [];
    const { rows } = await session.query<{ id: string; state: string; definition: string }>(
      'select id, state, definition from freshet.runs order by created_at',
    );
    return rows;
  });
}

interface Row {
  readonly id: string;
  readonly identifier: string;
  readonly url: string;
}

/** What a finished refresh promises, read from catalog, table and index themselves: the same records, ids once, one promotion per run, nothing left. */
export async function expectRefreshed(environment: LocalEnvironment): Promise<void> {
  const { rows: catalog } = await environment.withCatalog((session) =>
    session.query<{ identifier: string; url: string; removed: boolean }>(
      'select identifier, url, removed_from_source as removed from public.image',
    ),
  );
  const { rows } = await environment.withApi((session) =>
    session.query<Row>('select id::text, identifier, url from public.image order by id'),
  );
  expect(new Map(rows.map((row) => [row.identifier, row.url]))).toEqual(
    new Map(catalog.map((row) => [row.identifier, row.url])),
  );
  expect(rows.length).toBe(catalog.length);
  expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  const removed = new Set(catalog.filter((row) => row.removed).map((row) => row.identifier));
  const documents = await environment.documents(environment.aliases.image);
  expect(
    new Map([...documents].map(([id, document]) => [id, [document['identifier'], document['url']]])),
  ).toEqual(
    new Map(
      rows.filter((row) => !removed.has(row.identifier)).map((row) => [row.id, [row.identifier, row.url]]),
    ),
  );
  const { rows: left } = await environment.withApi((session) =>
    session.query(`select relname from pg_class where relname like 'temp_import%'`),
  );
  expect(left).toEqual([]);
  const { rows: leases } = await environment.withState((session) =>
    session.query('select * from freshet.leases'),
  );
  expect(leases).toEqual([]);
  const { rows: swaps } = await environment.withApi((session) =>
    session.query<{ run: string; times: string }>(
      'select run_id as run, count(*) as times from freshet.swaps group by run_id order by min(swapped_at)',
    ),
  );
  const runs = await readRuns(environment);
  const promoted = runs.filter(
    ({ state, definition }) => state === 'succeeded' && definition.endsWith('_refresh'),
  );
  expect(swaps).toEqual(promoted.map(({ id }) => ({ run: id, times: '1' })));
}
