import Table from 'cli-table3';
import { Command } from 'commander';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { loadConfig } from '../config/load.js';
import { listLeases } from '../state/leases.js';
import { listPhases } from '../state/phases.js';
import { listChecks } from '../state/records.js';
import { listRuns, type Run } from '../state/runs.js';
import { isOver } from '../state/words.js';
import { configOption, jsonOption, parseRuns } from './options.js';
import { describeFailure, formatCount, plainTable, writeJson, writeLine, writeNote } from './output.js';
import { openServices, type CommandServices } from './services.js';

/** `freshet status`: what runs, who holds which environment, how the last runs ended. */
export function statusCommand(): Command {
  return new Command('status')
    .description('what runs now, who holds which environment, how the last runs ended')
    .argument(
      '[environment]',
      'environment whose state database is read (default: the one that is configured)',
    )
    .option('--runs <count>', 'how many runs are listed, the newest first', parseRuns, 10)
    .addOption(configOption())
    .addOption(jsonOption())
    .action(showStatus);
}

async function showStatus(
  environment: string | undefined,
  options: { runs: number; config?: string; json?: boolean },
): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const services = await openServices({
    configFile: options.config,
    environment: environment ?? listUsedEnvironments(config)[0] ?? 'local',
    withSearch: false,
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    const runs = await listRuns(services.state, options.runs);
    const leases = await listLeases(services.state);
    if (options.json) writeJson({ runs, leases });
    else await writeStatus(services, runs, leases);
  } finally {
    await services.close();
  }
}

async function writeStatus(
  services: CommandServices,
  runs: readonly Run[],
  leases: Awaited<ReturnType<typeof listLeases>>,
): Promise<void> {
  if (runs.length === 0) return writeLine('No run yet. Start one with `freshet refresh <definition>`.');
  for (const lease of leases)
    writeLine(`${lease.environment} is held by run ${lease.runId} since ${lease.acquiredAt.toISOString()}`);
  const table = new Table({
    head: ['run', 'definition', 'state', 'phase', 'began', 'ended'],
    ...plainTable,
  });
  for (const run of runs) {
    table.push([
      run.id,
      run.definition,
      colour(run),
      await describePhase(services, run),
      time(run.startedAt),
      time(run.finishedAt),
    ]);
  }
  writeLine(table.toString());
  const failed = runs.find((run) => run.state === 'failed' || run.state === 'refused');
  if (failed === undefined) return;
  writeLine(`${failed.definition} ${describeFailure(failed)}`);
  for (const check of (await listChecks(services.state, failed.id)).filter((one) => !one.passed)) {
    writeLine(
      `  ${colors.red('✗')} ${check.name}: expected ${check.expected}, found ${check.found}${check.detail === null ? '' : ` (${check.detail})`}`,
    );
  }
}

function colour(run: Run): string {
  if (run.state === 'succeeded') return colors.green(run.state);
  return isOver(run.state) ? colors.red(run.state) : colors.cyan(run.state);
}

async function describePhase(services: CommandServices, run: Run): Promise<string> {
  if (isOver(run.state)) return run.error?.phase ?? '';
  const phases = (await listPhases(services.state, run.id)).filter((phase) => phase.state === 'running');
  return phases
    .map(({ name, progressDone, progressTotal, unit }) =>
      unit === null
        ? name
        : `${name}: ${formatCount(progressDone)} of ${progressTotal === null ? '?' : formatCount(progressTotal)} ${unit}`,
    )
    .join('\n');
}

function time(date: Date | null): string {
  return date === null ? '' : date.toISOString().slice(0, 19).replace('T', ' ');
}
