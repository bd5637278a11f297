import Table from 'cli-table3';
import { Command } from 'commander';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { loadConfig } from '../config/load.js';
import { exitStatus } from '../errors.js';
import { readOverview, type Overview } from '../refresh/overview.js';
import { listPhases } from '../state/phases.js';
import { listChecks } from '../state/records.js';
import type { Run } from '../state/runs.js';
import { isOver } from '../state/words.js';
import { configOption, jsonOption, parseRuns } from './options.js';
import { describeFailure, formatCount, plainTable, writeJson, writeLine, writeNote } from './output.js';
import { describeEvent } from './progressView.js';
import { openServices, type CommandServices } from './services.js';

/** `freshet status`: what runs, who holds which environment, how the last runs ended, and whether what is live is what should be. */
export function statusCommand(): Command {
  return new Command('status')
    .description(
      'what runs now, who holds which environment, how the last runs ended, and whether what is live is as it should be',
    )
    .argument(
      '[environment]',
      'environment whose state database is read (default: the one that is configured)',
    )
    .option('--runs <count>', 'how many runs are listed, the newest first', parseRuns, 10)
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Exit status 1 when aliases, tables, marks or settings of what is live are not as the state and the configuration say (drift), or when the
state database does not answer; 0 when they are, or when another server does not tell. Below are the last events that somebody should know of.`,
    )
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
    const overview = await readOverview(services, options.runs);
    if (options.json) writeJson(overview);
    else await writeStatus(services, overview);
    if (overview.differences.length > 0) process.exitCode = exitStatus.failed;
  } finally {
    await services.close();
  }
}

async function writeStatus(services: CommandServices, overview: Overview): Promise<void> {
  writeLine(describeOrchestrator(overview));
  for (const line of describeWaiting(overview)) writeLine(line);
  if (overview.runs.length === 0) writeLine('No run yet. Start one with `freshet refresh <definition>`.');
  else await writeRuns(services, overview.runs);
  for (const line of describeLive(overview)) writeLine(line);
  for (const event of overview.events.toReversed())
    writeLine(`${colors.dim(time(event.at))} ${describeEvent(event)}`);
}

function describeOrchestrator({ orchestrator }: Overview): string {
  if (orchestrator === null) return colors.dim('No orchestrator is up.');
  const { host, pid, since } = orchestrator;
  return colors.dim(`The orchestrator is process ${pid} on ${host}, since ${time(since)}.`);
}

/** What holds, waits, or was asked for. */
function describeWaiting({ leases, held, cancelling, paused }: Overview): string[] {
  return [
    ...leases.map(
      ({ environment, runId, acquiredAt }) =>
        `${environment} is held by run ${runId} since ${acquiredAt.toISOString()}`,
    ),
    ...held.map(
      ({ id, definition }) =>
        `${colors.cyan('held')}: ${definition} ${colors.dim('→')} freshet promote ${id}   or   freshet cancel ${id}`,
    ),
    ...cancelling.map(
      ({ id, definition, cancelRequestedAt }) =>
        `${colors.yellow('cancelling')}: ${definition} (run ${id}), asked for at ${time(cancelRequestedAt)}`,
    ),
    ...paused.map(
      ({ definition, pausedAt }) =>
        `${colors.yellow('paused')}: ${definition} since ${time(pausedAt)} ${colors.dim('→')} freshet resume ${definition}`,
    ),
  ];
}

async function writeRuns(services: CommandServices, runs: readonly Run[]): Promise<void> {
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
  const failed = runs.find(isNotPromoted);
  if (failed === undefined) return;
  writeLine(`${failed.definition} ${describeFailure(failed)}`);
  for (const check of (await listChecks(services.state, failed.id)).filter((one) => !one.passed)) {
    writeLine(
      `  ${colors.red('✗')} ${check.name}: expected ${check.expected}, found ${check.found}${check.detail === null ? '' : ` (${check.detail})`}`,
    );
  }
}

/** What is live, and whether it is what should be. */
function describeLive({ generations, differences, cannotTell }: Overview): string[] {
  return [
    ...generations.flatMap(({ environment, media, live, previous }) => {
      if (live === null) return [];
      const before = previous === null ? 'none' : `run ${previous.runId}`;
      return [
        `${environment} ${media}: live is run ${live.runId} since ${time(live.promotedAt)}, previous: ${before}`,
      ];
    }),
    ...differences.flatMap(({ environment, subject, expected, found, remedy }) => [
      `${colors.red('drift')} ${environment}: ${subject} is not as it should be: expected ${expected}, found ${found}`,
      `${colors.dim('→')} ${remedy}`,
    ]),
    ...cannotTell.map(
      ({ environment, media, reason }) =>
        `${colors.yellow('cannot tell')} whether what is live is as it should be in ${environment} ${media}: ${reason}`,
    ),
  ];
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

/** A held run with an error is one whose promotion did not come about. */
function isNotPromoted({ state, error }: Run): boolean {
  return state === 'failed' || state === 'refused' || (state === 'held' && error !== null);
}
