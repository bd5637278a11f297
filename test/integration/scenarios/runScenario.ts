import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { quoteIdentifier } from '../../../src/postgres/identifiers.js';
import type { Session } from '../../../src/postgres/session.js';
import { LocalEnvironment, type CommandOutcome, type LocalOptions } from '../../setup/localEnvironment.js';
import type { TestParts } from '../../setup/parts.js';
import { checkExpectation, type Checked, type Shapes } from './expectations.js';
import { fillDatabase } from './fillDatabase.js';
import { readDatabaseState, readLiveState } from './liveState.js';
import type { IndexStep, RunStep, Scenario, Step } from './scenario.js';
import { readTableShape } from './tableShape.js';

/** Runs one scenario in an environment of its own: own databases, own aliases, the real command with a real worker process. */
export async function runScenario(
  scenario: Scenario,
  parts: TestParts,
  templates: NonNullable<LocalOptions['templates']>,
): Promise<void> {
  const local = await LocalEnvironment.create(parts, {
    overrides: scenario.config,
    env: scenario.env,
    templates,
  });
  try {
    await local.withCatalog((session) => fillDatabase(session, 'catalog', scenario.content.catalog));
    await local.withApi((session) => fillDatabase(session, 'api', scenario.content.api));
    const checked: Checked = {
      local,
      prefix: local.aliases.image.slice(0, -'image'.length),
      shapesBefore: await local.withApi(readShapes),
    };
    for (const step of scenario.steps) await takeStep(scenario, checked, step);
  } finally {
    await local.drop();
  }
}

async function readShapes(session: Session): Promise<Shapes> {
  const { rows } = await session.query<{ name: string }>(
    `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind = 'r'`,
  );
  const shapes: Record<string, string[]> = {};
  for (const { name } of rows)
    shapes[name] = await readTableShape(session, `public.${quoteIdentifier(name)}`);
  return shapes;
}

async function takeStep(scenario: Scenario, checked: Checked, step: Step): Promise<void> {
  const { local } = checked;
  if ('run' in step) await takeRunStep(scenario, checked, step);
  else if ('index' in step) await createForeignIndex(checked, step);
  else if ('config' in step) await local.writeConfig(step.config);
  else if ('api' in step) await local.withApi((session) => runSql(session, scenario, step.api));
  else await local.withCatalog((session) => runSql(session, scenario, step.catalog));
}

/** A text that names a file of the folder stands for what is in it. */
async function runSql(session: Session, { folder }: Scenario, text: string): Promise<void> {
  const file = join(folder, text);
  const sql = text.endsWith('.sql') && existsSync(file) ? readFileSync(file, 'utf8') : text;
  await session.query(`set search_path = public;\n${sql}`);
}

/** An index that somebody else made, without a mark of ours. */
async function createForeignIndex({ local, prefix }: Checked, step: IndexStep): Promise<void> {
  const aliases = Object.fromEntries(step.aliases.map((alias) => [`${prefix}${alias}`, {}]));
  const settings = { number_of_shards: 1, number_of_replicas: 0 };
  const mappings = { properties: { source: { type: 'keyword' }, identifier: { type: 'keyword' } } };
  const index = `${prefix}${step.index}`;
  await local.search(index, { method: 'PUT', body: { settings, mappings, aliases } });
  for (const [id, document] of Object.entries(step.documents)) {
    await local.search(`${index}/_doc/${id}?refresh=true`, { method: 'PUT', body: document });
  }
}

async function takeRunStep(scenario: Scenario, checked: Checked, step: RunStep): Promise<void> {
  const { local } = checked;
  const inFolder = (text: string): string => text.replaceAll('{folder}', scenario.folder);
  const words = inFolder(step.run).split(/\s+/);
  const env = Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, inFolder(value)]));
  const catalogBefore = await local.withCatalog(readDatabaseState);
  const before = step.unchanged ? await readLiveState(local) : null;
  const outcome = await local.run(step.json ? [...words, '--json'] : words, env);
  checkOutcome(checked, step, outcome);
  if (before !== null) expect(await readLiveState(local), 'what is live').toEqual(before);
  expect(await local.withCatalog(readDatabaseState), 'the catalog').toEqual(catalogBefore);
  if (step.status === 0 && words[0] !== 'status') await checkNothingLeft(local);
  if (step.expect !== undefined) await checkExpectation(checked, step.expect);
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Compares how the command ended and what it said. The whole output is in the failure's message: it is all that an operator has. */
function checkOutcome({ prefix }: Checked, step: RunStep, outcome: CommandOutcome): void {
  const output = `${outcome.stdout}\n${outcome.stderr}`.replaceAll(prefix, '');
  expect(outcome.status, `exit status of \`${step.run}\`, which said:\n${output}`).toBe(step.status);
  const failure = readFailure(output);
  if (step.code !== undefined) expect(failure.code, output).toBe(step.code);
  for (const part of step.message) expect(failure.message).toContain(part);
  for (const part of step.remedy) expect(failure.remedy).toContain(part);
  for (const part of step.says) expect(output).toContain(part);
  for (const part of step.neverSays) expect(output).not.toContain(part);
  if (step.result !== undefined) expect(readResult(output)).toMatchObject(step.result);
}

/** What `--json` printed, phases and checks by their names; empty where the command ended before it had a result. */
function readResult(output: string): Record<string, unknown> {
  const line = output.split('\n').find((one) => one.startsWith('{'));
  if (line === undefined) return {};
  const result = JSON.parse(line) as Record<string, unknown>;
  const byName = (value: unknown): unknown =>
    Array.isArray(value) ? Object.fromEntries(value.map((one: { name: string }) => [one.name, one])) : value;
  return { ...result, phases: byName(result['phases']), checks: byName(result['checks']) };
}

/** A run's error, or the two lines that a command ends with: `error <message> (<code>)` and `→ <remedy>`. */
function readFailure(output: string): Failure {
  const { run } = readResult(output) as { run?: { error: Failure | null } };
  if (run?.error) return run.error;
  const [, message = '', code = '', remedy = ''] =
    /^(?:error )?([^]*?) \(([A-Z_]+)\)\n→ (.*)$/m.exec(output) ?? [];
  return { code, message, remedy };
}

/** After a refresh that ended well nothing of its work is left but what is live and what is kept. */
async function checkNothingLeft(local: LocalEnvironment): Promise<void> {
  const { rows } = await local.withApi((session) =>
    session.query<{ name: string }>(
      `select relname::text as name from pg_class where relkind = 'r' and relname like 'temp\\_import\\_%'`,
    ),
  );
  expect(rows, 'temp tables that are left').toEqual([]);
  const writeAliases = Object.values(await local.indexes())
    .flat()
    .filter((alias) => alias.startsWith('freshet-write-'));
  expect(writeAliases, "workers' aliases that are left").toEqual([]);
}
