import { Command } from 'commander';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { loadConfig } from '../config/load.js';
import { environmentOf } from '../config/resolve.js';
import { exitStatus } from '../errors.js';
import { describeError } from '../refresh/describeError.js';
import { sweep, type Leftover, type Sweep } from '../refresh/sweep.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { openServices, type CommandServices } from './services.js';

interface CleanOptions {
  readonly dryRun?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet clean`: the orchestrator's sweep at once, which does not wait for `keepFailedHours`. */
export function cleanCommand(): Command {
  const command = new Command('clean')
    .description(
      'remove what runs left that are over (tables, indexes, aliases, sessions, workers); never what is live, previous, held or not ours',
    )
    .argument('[environment]', 'environment (default: every one whose URLs are set)')
    .option('--dry-run', 'show what would be removed and what is kept, and remove nothing')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(clean);
  return addExamples(command, 'freshet clean --dry-run', 'freshet clean production');
}

async function clean(environment: string | undefined, options: CleanOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const names = environment === undefined ? listUsedEnvironments(config) : [environment];
  for (const name of names) environmentOf(config, name);
  const services = await openServices({
    configFile: options.config,
    environment: names[0] ?? 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    const swept: [string, Sweep][] = [];
    for (const name of names) swept.push([name, await sweepNow(services, name, options.dryRun === true)]);
    if (options.json) writeJson(describe(swept, options.dryRun === true));
    else for (const [name, one] of swept) print(name, one, options.dryRun === true);
    if (swept.some(([, { failures }]) => failures.length > 0)) process.exitCode = exitStatus.failed;
  } finally {
    await services.close();
  }
}

/** Whoever asks for it wants the room now. */
function sweepNow(services: CommandServices, environment: string, dryRun: boolean): Promise<Sweep> {
  return sweep(services, {
    environment,
    media: null,
    ending: null,
    keepPrevious: true,
    keepFailedMs: 0,
    dryRun,
  });
}

function describe(swept: readonly [string, Sweep][], dryRun: boolean): object {
  const environments = swept.map(([name, { removed, kept, failures }]) => [
    name,
    { removed, kept, failures: failures.map(({ part, error }) => ({ part, ...describeError(error) })) },
  ]);
  return { dryRun, environments: Object.fromEntries(environments) as unknown };
}

function print(name: string, { removed, kept, failures }: Sweep, dryRun: boolean): void {
  writeLine(colors.bold(name));
  const title = (leftover: Leftover): string => `${leftover.kind} ${leftover.name}`;
  for (const one of removed)
    writeLine(
      `  ${colors.green(dryRun ? 'would be removed' : 'removed')}  ${title(one)} ${colors.dim(`(run ${one.runId})`)}`,
    );
  for (const one of kept) writeLine(`  ${colors.cyan('kept')}  ${title(one)}: ${one.kept ?? ''}`);
  for (const { part, error } of failures) {
    const { message, remedy } = describeError(error);
    writeLine(`  ${colors.red('failed')}  ${part}: ${message}\n  ${colors.dim('→')} ${remedy}`);
  }
  if (removed.length + kept.length + failures.length === 0) writeLine('  nothing was left');
}
