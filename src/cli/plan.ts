import { Command } from 'commander';
import { findDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import type { QualifiedName } from '../postgres/identifiers.js';
import { planSwap, type PlannedSwap } from '../refresh/planSwap.js';
import { colors } from './colors.js';
import { configOption, jsonOption } from './options.js';
import { formatCount, writeJson, writeLine } from './output.js';
import { withTables } from './services.js';

interface PlanOptions {
  readonly sql?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet plan`: what a promotion would do to the tables, beforehand. */
export function planCommand(): Command {
  return new Command('plan')
    .description(
      'show what a promotion would do to the tables: columns that are added, rows of other tables that would be put aside, the statements of the swap',
    )
    .argument('<definition...>', '`local_image_data_refresh`, or `local image` (`freshet config` lists all)')
    .option('--sql', 'print the statements of the swap, in order')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ freshet plan production image
  $ freshet plan production image --sql

Of a run that is held (\`freshet refresh --hold\`) it shows the swap of the finished tables with their own names; else what a refresh that begins now would do,
where names that have the run's digest in them have another one. Changes nothing, and keeps nobody waiting.
Exit status: 0 it could be done, 1 failed, 2 the tables cannot be carried, 64 bad usage or configuration.`,
    )
    .action(showPlan);
}

async function showPlan(words: string[], options: PlanOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findDefinition(config, words);
  await withTables(definition.environment.name, options.config, async (services) => {
    const planned = await planSwap(services, definition);
    if (options.json === true) writeJson({ definition: definition.id, ...describe(planned) });
    else if (options.sql === true) writeLine(sqlOf(planned));
    else writeLine(summaryOf(planned).join('\n'));
  });
}

function nameOf({ schema, name }: QualifiedName): string {
  return `${schema}.${name}`;
}

/** What a program reads. */
function describe({ runId, swap, orphans, orphansMax }: PlannedSwap): object {
  return {
    runId,
    tables: swap.tables.map((table) => ({
      ...table,
      live: nameOf(table.live),
      previous: nameOf(table.previous),
    })),
    views: swap.views.map(nameOf),
    orphans: orphans.map(({ table, foreignKey, target, rows }) => ({
      table: nameOf(table),
      foreignKey,
      target: nameOf(target),
      rows,
    })),
    orphansMax,
    parts: swap.parts,
  };
}

function ofWhat(runId: string | null): string {
  return runId === null ? 'a refresh that begins now' : `run ${runId}, which is held`;
}

function summaryOf({ runId, swap, orphans, orphansMax }: PlannedSwap): string[] {
  const total = orphans.reduce((sum, { rows }) => sum + rows, 0);
  const isOver = total > orphansMax;
  return [
    `The promotion of ${ofWhat(runId)}:`,
    ...swap.tables.flatMap(({ live, additions, indexes }) => [
      `${colors.bold(nameOf(live))} is replaced, with ${formatCount(indexes.length)} indexes`,
      `  columns added: ${additions.length === 0 ? 'none' : additions.join(', ')}`,
    ]),
    ...swap.views.map((view) => `${colors.bold(nameOf(view))} reads the new tables`),
    ...orphans.map(
      ({ table, foreignKey, rows }) =>
        `${colors.bold(nameOf(table))} (${foreignKey}): ${formatCount(rows)} rows refer to records that vanish`,
    ),
    `${isOver ? colors.red('refused') : colors.green('within the limit')}: ${formatCount(total)} rows would be put aside, at most ${formatCount(orphansMax)} may be`,
    colors.dim('→ the statements: --sql'),
  ];
}

/** A script to read: what moves rows between the locks depends on what writers do until then, and is not in it. */
function sqlOf({ runId, swap, orphans }: PlannedSwap): string {
  const comments = [
    `-- The swap of ${ofWhat(runId)}. Deletions are applied and orphans are moved between the locks, by statements that depend on the rows.`,
    ...swap.tables.map(
      ({ live, additions }) =>
        `-- ${nameOf(live)}: columns added: ${additions.length === 0 ? 'none' : additions.join(', ')}`,
    ),
    ...orphans.map(({ table, foreignKey, rows }) => `-- ${nameOf(table)} (${foreignKey}): ${rows} orphans`),
  ];
  const parts = swap.parts.flatMap(({ title, statements }) => [
    '',
    `-- ${title}.`,
    ...statements.map((statement) => `${statement};`),
  ]);
  return [...comments, ...parts].join('\n');
}
