import { Command, CommanderError } from 'commander';
import { exitStatus } from '../errors.js';
import { version } from '../version.js';
import { configCommand } from './config.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { filteredIndexCommand } from './filteredIndex.js';
import { loadSampleDataCommand } from './loadSampleData.js';
import { statusOfError, writeError } from './output.js';
import { partsCommand } from './parts.js';
import { refreshCommand } from './refresh.js';
import { statusCommand } from './status.js';
import { upCommand } from './up.js';
import { workerCommand } from './worker.js';

// A deprecation inside the engine's use of its Postgres pool; nothing that an operator could do anything about.
process.noDeprecation = true;

function createProgram(): Command {
  const program = new Command('freshet')
    .description(
      'Zero-downtime, verified, reversible data refreshes from Postgres to Postgres and Elasticsearch or OpenSearch.',
    )
    .version(version)
    .showHelpAfterError('(add --help for what is possible)')
    .exitOverride();
  for (const command of [
    demoCommand(),
    refreshCommand(),
    filteredIndexCommand(),
    statusCommand(),
    loadSampleDataCommand(),
    configCommand(),
    doctorCommand(),
    partsCommand(),
    upCommand(),
    workerCommand(),
  ]) {
    program.addCommand(command.exitOverride());
  }
  return program;
}

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end here too, with status 0.
    process.exitCode = error.exitCode === 0 ? exitStatus.done : exitStatus.usage;
  } else {
    writeError(error);
    process.exitCode = statusOfError(error);
  }
}
