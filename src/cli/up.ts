import { Command } from 'commander';
import { colors } from './colors.js';
import { exitStatus, FreshetError } from '../errors.js';
import { startOrchestrator } from '../refresh/orchestrator.js';
import { endOnInterrupt } from './followRun.js';
import { configOption } from './options.js';
import { writeNote } from './output.js';
import { listUsedEnvironments } from './doctor.js';
import { loadConfig } from '../config/load.js';
import { openServices } from './services.js';

/** `freshet up`: the orchestrator. Resumes what an earlier one left and executes what commands enqueue, until it is stopped. */
export function upCommand(): Command {
  return new Command('up')
    .description('run the orchestrator: resumes unfinished runs and executes those that commands add')
    .addOption(configOption())
    .action(runOrchestrator);
}

async function runOrchestrator(options: { config?: string }): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const services = await openServices({
    configFile: options.config,
    environment: listUsedEnvironments(config)[0] ?? 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: writeNote,
  });
  endOnInterrupt(services, 'Unfinished runs go on with: freshet up');
  const engine = await startOrchestrator(services, services.stateUrl, () => {
    writeNote('The connection that makes this process the orchestrator is lost; another one may take over.');
    process.exit(exitStatus.failed);
  });
  if (engine === null) {
    await services.close();
    throw new FreshetError('ORCHESTRATOR_RUNS', 'Another orchestrator works on this state database.');
  }
  writeNote(
    `${colors.green('up')}: runs are executed as they are added; Ctrl-C stops, unfinished runs go on at the next start.`,
  );
}
