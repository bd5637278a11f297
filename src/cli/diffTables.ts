import { Command } from 'commander';
import { findDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import { exitStatus } from '../errors.js';
import { compareTables, isSame, type TableComparison } from '../refresh/compareTables.js';
import { findRun } from '../state/runs.js';
import { colors } from './colors.js';
import { configOption, jsonOption } from './options.js';
import { writeJson, writeLine } from './output.js';
import { withTables, type CommandServices } from './services.js';

/** `freshet diff-tables`: how the live tables differ from what was live before, and from what a run is about to make live. */
export function diffTablesCommand(): Command {
  return new Command('diff-tables')
    .description(
      'compare live tables by the catalog with what was live before them, and with the tables that a run has ready',
    )
    .argument('<definition...>', '`local_image_data_refresh`, or `local image` (`freshet config` lists all)')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ freshet diff-tables production image
  $ freshet diff-tables production audio --json

Columns, indexes, constraints, keys of other tables, triggers, policies, rights, comments and so on; not rows. The tables of a run that is still under
way lack what it has not built yet. Changes nothing.
Exit status: 0 nothing differs but the columns that the configuration adds, 1 something else does, 64 bad usage or configuration.`,
    )
    .action(showDifferences);
}

async function showDifferences(
  words: string[],
  options: { readonly config?: string; readonly json?: boolean },
): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findDefinition(config, words);
  await withTables(definition.environment.name, options.config, async (services) => {
    const { apiUrl } = await services.resolve(definition.environment.name);
    const compared = await compareTables(apiUrl, definition);
    const shown = await Promise.all(compared.comparisons.map((each) => addState(services, each)));
    const same = isSame(compared);
    const { unknownBefore } = compared;
    if (options.json === true)
      writeJson({ definition: definition.id, same, comparisons: shown, unknownBefore });
    else writeLine([...shown.flatMap(describe), ...unknownBefore.map(describeUnknown)].join('\n'));
    if (!same) process.exitCode = exitStatus.failed;
  });
}

interface ShownComparison extends TableComparison {
  /** Of the run that made the newer table; null where this state database does not know it. */
  readonly state: string | null;
}

async function addState({ state }: CommandServices, comparison: TableComparison): Promise<ShownComparison> {
  const run = await findRun(state, comparison.runId);
  return { ...comparison, state: run?.state ?? null };
}

function describe({ table, differences, additions, state, ...comparison }: ShownComparison): string[] {
  const run = `run ${comparison.runId}${state === null ? '' : ` (${state})`}`;
  const other =
    comparison.with === 'before' ? `what was live before ${run}` : `the table that ${run} is to make live`;
  const mark = differences.length === 0 ? colors.green('same') : colors.red('differs');
  const added = additions.length === 0 ? '' : `; added as configured: ${additions.join(', ')}`;
  return [
    `${mark} ${colors.bold(table)} and ${other}${added}`,
    ...differences.map((difference) => `  ${difference}`),
  ];
}

function describeUnknown(table: string): string {
  return `${colors.dim('not known')} what was live before ${colors.bold(table)}: no promotion of freshet made it what it is now`;
}
