import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { rehearseTempTables } from '../../../src/postgres/rehearsal.js';
import { withSession } from '../../../src/postgres/session.js';
import { assertCarryable, describeTable, type TableShape } from '../../../src/postgres/tableShape.js';
import { uniqueName } from '../../setup/databases.js';
import { makeRandomTable, randomCommon, type RandomTable, type Roles } from './randomSchema.js';
import {
  createApi,
  diffBeforeAfter,
  dropPrevious,
  named,
  refreshQuickly,
  type ApiDatabase,
} from './refreshCycle.js';

/** `FRESHET_SHAPE_SEEDS=1000-1020` looks at those alone. */
const [firstSeed = 1, lastSeed = 200] = (process.env['FRESHET_SHAPE_SEEDS'] ?? '')
  .split('-')
  .filter(Boolean)
  .map(Number);
const tablesPerDatabase = 10;
export const seedGroups = Array.from(
  { length: Math.ceil((lastSeed - firstSeed + 1) / tablesPerDatabase) },
  (_, group) => {
    const first = firstSeed + group * tablesPerDatabase;
    return [first, Math.min(lastSeed, first + tablesPerDatabase - 1)] as const;
  },
);
const added = 'standardized_popularity';
export const roles: Roles = { owner: uniqueName('shape_owner'), reader: uniqueName('shape_reader') };

async function runOnServer(url: string, statement: string): Promise<void> {
  await withSession(url, { applicationName: 'test', called: 'server of the test run' }, async (session) => {
    await session.query(statement);
  });
}

/** Roles belong to the server: made before its first test. */
export function makeRoles(url: string): Promise<void> {
  return runOnServer(url, `create role ${roles.owner}; create role ${roles.reader}`);
}

export function dropRoles(url: string): Promise<void> {
  return runOnServer(url, `drop role ${roles.owner}, ${roles.reader}`);
}

interface Differences {
  readonly what: string;
  readonly differences: readonly string[];
}

async function describeAll(api: ApiDatabase, tables: readonly RandomTable[]): Promise<TableShape[]> {
  const shapes: TableShape[] = [];
  for (const { name } of tables) shapes.push(await describeTable(api.session, named(name)));
  return shapes;
}

/** Makes the tables of these seeds, promotes all of them twice, and compares after each promotion, by our own diff and by `dump`. */
export async function promoteTwice(
  [first, last]: readonly [number, number],
  server: { readonly url: string; readonly version: number },
  dump: (url: string) => Promise<string[]> = () => Promise.resolve([]),
): Promise<Differences[]> {
  const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const tables = seeds.map((seed) => makeRandomTable(seed, server.version, roles));
  const api = await createApi(randomCommon, server.url);
  await api.run(`grant create, usage on schema public, other to ${roles.owner}`);
  for (const { sql, seed } of tables) {
    await api.run(sql).catch((error: unknown) => {
      throw new Error(`The tables of seed ${seed} cannot be made: ${String(error)}\n${sql}`);
    });
  }
  const before = await describeAll(api, tables);
  const dumpedBefore = await dump(api.url);
  assertCarryable(before);
  await rehearseTempTables(
    api.session,
    before.map((shape) => ({ shape, addedColumns: { [added]: 'double precision' } })),
  );
  const found: Differences[] = [];
  for (const runId of ['run-1', 'run-2']) {
    const options = { runId, addedColumns: { [added]: 'double precision' }, isRunOver: () => true };
    await refreshQuickly(
      api,
      tables.map(({ name }) => named(name)),
      options,
    );
    const after = await describeAll(api, tables);
    for (const [index, shape] of after.entries()) {
      const wanted = before[index];
      if (wanted === undefined) continue;
      // Keys of the previous tables among each other are not keys of the live one.
      const inboundKeys = shape.inboundKeys.filter(
        ({ table }) => !table.name.startsWith('freshet_previous_'),
      );
      const differences = diffBeforeAfter(wanted, { ...shape, inboundKeys }, [added]);
      expect(shape.columns.at(-1)?.name).toBe(added);
      found.push({ what: `seed ${tables[index]?.seed} after ${runId}`, differences });
    }
    await dropPrevious(api.url, { media: 'image', keepOids: [], isRunOver: () => true });
    const dumped = await dump(api.url);
    found.push({
      what: `dump of seeds ${first} to ${last} after ${runId}`,
      differences: diffLines(dumpedBefore, dumped),
    });
  }
  await api.run(`drop owned by ${roles.owner}, ${roles.reader} cascade`);
  return found.filter(({ differences }) => differences.length > 0);
}

/** The first lines that differ, in order. */
function diffLines(before: readonly string[], after: readonly string[]): string[] {
  const differing = before.findIndex((line, index) => line !== after[index]);
  if (differing < 0 && before.length === after.length) return [];
  const from = differing < 0 ? before.length : differing;
  return [
    ...before.slice(from, from + 4).map((line) => `- ${line}`),
    ...after.slice(from, from + 4).map((line) => `+ ${line}`),
  ];
}

const run = promisify(execFile);

/** What `pg_dump` says of the database without our schema; the declared addition is left out, and what is random in its text. */
export function dumpWith(pgDump: string): (url: string) => Promise<string[]> {
  return async (url) => {
    const { stdout } = await run(pgDump, ['--schema-only', '--exclude-schema=freshet', `--dbname=${url}`], {
      maxBuffer: 64 * 1024 * 1024,
    });
    const lines = stdout
      .split('\n')
      .filter((line) => !/^\\(un)?restrict /.test(line) && !line.startsWith(`    ${added} double precision`))
      .map((line) => line.replace(/,$/, ''));
    return sortRights(lines);
  };
}

/** Rights of one object come in the order in which they were given, which nobody can tell apart. */
function sortRights(lines: readonly string[]): string[] {
  const sorted: string[] = [];
  let rights: string[] = [];
  for (const line of lines) {
    if (/^(GRANT|REVOKE) /.test(line)) rights.push(line);
    else {
      sorted.push(...rights.sort(), line);
      rights = [];
    }
  }
  return sorted;
}
