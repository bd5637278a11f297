import { Command } from 'commander';
import { version } from '../version.js';
import { cancelCommand } from './cancel.js';
import { cleanCommand } from './clean.js';
import { configCommand } from './config.js';
import { demoCommand } from './demo.js';
import { deployCheckCommand } from './deployCheck.js';
import { diffTablesCommand } from './diffTables.js';
import { doctorCommand } from './doctor.js';
import { filteredIndexCommand } from './filteredIndex.js';
import { generationsCommand } from './generations.js';
import { loadSampleDataCommand } from './loadSampleData.js';
import { exitStatusHelp } from './options.js';
import { partsCommand } from './parts.js';
import { pauseCommand } from './pause.js';
import { promoteCommand } from './promote.js';
import { refreshCommand } from './refresh.js';
import { releaseCommand } from './release.js';
import { resumeCommand } from './resume.js';
import { retryCommand } from './retry.js';
import { rollbackCommand } from './rollback.js';
import { statusCommand } from './status.js';
import { upCommand } from './up.js';
import { watchCommand } from './watch.js';
import { workerCommand } from './worker.js';

/** The whole command line. Errors of its use are thrown, not printed and exited with. */
export function createProgram(): Command {
  const program = new Command('freshet')
    .description(
      'Zero-downtime, verified data refreshes from Postgres to Postgres and Elasticsearch or OpenSearch.',
    )
    .version(version)
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText(
      'after',
      `
Begin with \`freshet demo\`: real databases, a search engine, sample data and two refreshes on this machine.
While a run is followed on a terminal, Ctrl-C leaves it as it is, and cancels it when pressed again within two seconds.
Everything about a command: \`freshet help <command>\`. FRESHET_DEBUG=1 shows the workers' lines and where errors come from.
${exitStatusHelp}`,
    )
    .exitOverride();
  for (const command of [
    demoCommand(),
    refreshCommand(),
    filteredIndexCommand(),
    cancelCommand(),
    retryCommand(),
    promoteCommand(),
    rollbackCommand(),
    pauseCommand(),
    resumeCommand(),
    statusCommand(),
    watchCommand(),
    generationsCommand(),
    diffTablesCommand(),
    deployCheckCommand(),
    cleanCommand(),
    releaseCommand(),
    loadSampleDataCommand(),
    configCommand(),
    doctorCommand(),
    partsCommand(),
    upCommand(),
    workerCommand(),
  ]) {
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}
