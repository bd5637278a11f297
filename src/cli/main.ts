import { Command, CommanderError } from 'commander';
import { FreshetError } from '../errors.js';
import { version } from '../version.js';
import { configCommand } from './config.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { filteredIndexCommand } from './filteredIndex.js';
import { loadSampleDataCommand } from './loadSampleData.js';
import { statusOfError, writeError, writeJsonError } from './output.js';
import { exitStatusHelp } from './options.js';
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
    .addHelpText(
      'after',
      `
Begin with \`freshet demo\`: real databases, a search engine, sample data and two refreshes on this machine.
Everything about a command: \`freshet help <command>\`. FRESHET_DEBUG=1 shows the workers' lines and where errors come from.
${exitStatusHelp}`,
    )
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
    program.addCommand(command.copyInheritedSettings(program));
  }
  return program;
}

/** What a command threw. The library has written its own errors already; help and version end here too, with status 0. */
function endWith(error: unknown): void {
  const isUsage = error instanceof CommanderError;
  if (isUsage && error.exitCode === 0) return;
  const known = isUsage ? new FreshetError('USAGE', error.message.replace(/^error: /, '')) : error;
  if (!isUsage) writeError(known);
  if (process.argv.includes('--json')) writeJsonError(known);
  process.exitCode = statusOfError(known);
}

try {
  await createProgram().parseAsync();
} catch (error) {
  endWith(error);
}
