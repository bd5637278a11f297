import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseCsv } from 'csv-parse/sync';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

/** Where the scenarios are. What each file of a folder means is said in README.md there. */
export const scenariosFolder = fileURLToPath(new URL('../../scenarios/', import.meta.url));

const row = z.record(z.string(), z.unknown());
const rows = z.array(row);
const texts = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

const tableExpectation = z.strictObject({
  count: z.number().optional(),
  rows: rows.default([]),
  absent: rows.default([]),
});

const documentsExpectation = z.strictObject({
  count: z.number().optional(),
  have: rows.default([]),
  are: rows.default([]),
  absent: z.array(z.union([z.number(), z.string()])).default([]),
});

const shapeExpectation = z.strictObject({
  added: z.array(z.string()).default([]),
  removed: z.array(z.string()).default([]),
});

const queryExpectation = z.union([
  z.strictObject({ api: z.string(), gives: rows }),
  z.strictObject({ catalog: z.string(), gives: rows }),
]);

const expectation = z.strictObject({
  tables: z.record(z.string(), tableExpectation).default({}),
  documents: z.record(z.string(), documentsExpectation).default({}),
  indexes: z.record(z.string(), z.array(z.string())).optional(),
  shape: z.record(z.string(), shapeExpectation.nullable()).default({}),
  queries: z.array(queryExpectation).default([]),
});

const runStep = z.strictObject({
  run: z.string(),
  env: z.record(z.string(), z.string()).default({}),
  json: z.boolean().default(true),
  status: z.number().default(0),
  code: z.string().optional(),
  message: texts.default([]),
  remedy: texts.default([]),
  says: texts.default([]),
  neverSays: texts.default([]),
  result: row.optional(),
  unchanged: z.boolean().default(false),
  expect: expectation.optional(),
});

const indexStep = z.strictObject({
  index: z.string(),
  aliases: z.array(z.string()).default([]),
  documents: z.record(z.string(), row).default({}),
});

const step = z.union([
  runStep,
  z.strictObject({ catalog: z.string() }),
  z.strictObject({ api: z.string() }),
  indexStep,
  z.strictObject({ config: row }),
]);

const scenarioFile = z.strictObject({
  title: z.string(),
  config: row.default({}),
  env: z.record(z.string(), z.string()).default({}),
  steps: z.array(step).min(1),
});

export type Row = z.output<typeof row>;
export type Expectation = z.output<typeof expectation>;
export type TableExpectation = z.output<typeof tableExpectation>;
export type DocumentsExpectation = z.output<typeof documentsExpectation>;
export type RunStep = z.output<typeof runStep>;
export type IndexStep = z.output<typeof indexStep>;
export type Step = z.output<typeof step>;

/** The two databases that a scenario fills. */
export const sides = ['catalog', 'api'] as const;
export type Side = (typeof sides)[number];

/** What one of the databases holds before the first step. */
export interface Content {
  /** Run before the rows are written; null where there is none. */
  readonly sql: string | null;
  /** Table → its rows, columns that matter only. */
  readonly rows: Readonly<Record<string, readonly Row[]>>;
}

export interface Scenario extends z.output<typeof scenarioFile> {
  readonly folder: string;
  readonly content: Readonly<Record<Side, Content>>;
}

/** Names of the scenarios' folders. */
export function listScenarios(): string[] {
  return readdirSync(scenariosFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Reads a folder; whatever is not understood is an error that names file and key. */
export function readScenario(name: string): Scenario {
  const folder = join(scenariosFolder, name);
  const scenario = parseFile(join(folder, 'scenario.yaml'), scenarioFile);
  return {
    ...scenario,
    env: { ...readTermsVariable(folder), ...scenario.env },
    folder,
    content: { catalog: readContent(folder, 'catalog'), api: readContent(folder, 'api') },
  };
}

function parseFile<T>(file: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseYaml(readFileSync(file, 'utf8'), { merge: true }));
  if (parsed.success) return parsed.data;
  throw new Error(`${file}:\n${z.prettifyError(parsed.error)}`);
}

function readTermsVariable(folder: string): Record<string, string> {
  const file = join(folder, 'sensitive-terms.txt');
  return existsSync(file) ? { FRESHET_SENSITIVE_TERMS: file } : {};
}

function readContent(folder: string, side: Side): Content {
  const yaml = join(folder, `${side}.yaml`);
  const sql = join(folder, `${side}.sql`);
  return {
    sql: existsSync(sql) ? readFileSync(sql, 'utf8') : null,
    rows: {
      ...(existsSync(yaml) ? parseFile(yaml, z.record(z.string(), rows)) : {}),
      ...readCsvs(folder, side),
    },
  };
}

/** `catalog.image.csv` and the like: a header, one row a line, an empty field is a column that does not matter. */
function readCsvs(folder: string, side: Side): Record<string, Row[]> {
  const files = readdirSync(folder).filter((file) => file.startsWith(`${side}.`) && file.endsWith('.csv'));
  return Object.fromEntries(
    files.map((file) => {
      const records: Record<string, string>[] = parseCsv(readFileSync(join(folder, file)), { columns: true });
      const given = records.map((record) =>
        Object.fromEntries(
          Object.entries(record).flatMap(([column, value]) =>
            value === '' ? [] : [[column, value === 'NULL' ? null : value]],
          ),
        ),
      );
      return [file.slice(side.length + 1, -'.csv'.length), given];
    }),
  );
}
