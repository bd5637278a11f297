import { Command } from 'commander';
import { version } from '../version.js';
import { exitStatusHelp } from './options.js';

/** Each command by its name, in the order of the help. Loaded when asked for: half of the time that a short command takes is reading modules that it does not need. */
const commands: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['demo', async () => (await import('./demo.js')).demoCommand()],
  ['refresh', async () => (await import('./refresh.js')).refreshCommand()],
  ['filtered-index', async () => (await import('./filteredIndex.js')).filteredIndexCommand()],
  ['cancel', async () => (await import('./cancel.js')).cancelCommand()],
  ['retry', async () => (await import('./retry.js')).retryCommand()],
  ['promote', async () => (await import('./promote.js')).promoteCommand()],
  ['rollback', async () => (await import('./rollback.js')).rollbackCommand()],
  ['pause', async () => (await import('./pause.js')).pauseCommand()],
  ['resume', async () => (await import('./resume.js')).resumeCommand()],
  ['status', async () => (await import('./status.js')).statusCommand()],
  ['watch', async () => (await import('./watch.js')).watchCommand()],
  ['generations', async () => (await import('./generations.js')).generationsCommand()],
  ['plan', async () => (await import('./plan.js')).planCommand()],
  ['diff-tables', async () => (await import('./diffTables.js')).diffTablesCommand()],
  ['verify', async () => (await import('./verify.js')).verifyCommand()],
  ['deploy-check', async () => (await import('./deployCheck.js')).deployCheckCommand()],
  ['clean', async () => (await import('./clean.js')).cleanCommand()],
  ['release', async () => (await import('./release.js')).releaseCommand()],
  ['load-sample-data', async () => (await import('./loadSampleData.js')).loadSampleDataCommand()],
  ['config', async () => (await import('./config.js')).configCommand()],
  ['doctor', async () => (await import('./doctor.js')).doctorCommand()],
  ['parts', async () => (await import('./parts.js')).partsCommand()],
  ['up', async () => (await import('./up.js')).upCommand()],
  ['worker', async () => (await import('./worker.js')).workerCommand()],
]);

/** The whole command line. With the name of a command, that one alone. Errors of its use are thrown, not printed and exited with. */
export async function createProgram(word?: string): Promise<Command> {
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
  const only = word === undefined ? undefined : commands.get(word);
  for (const load of only === undefined ? commands.values() : [only])
    program.addCommand((await load()).copyInheritedSettings(program));
  return program;
}
