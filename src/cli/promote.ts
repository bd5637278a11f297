import { Command } from 'commander';
import { promoteRun } from '../refresh/changeRun.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { changeAndReport } from './runAndReport.js';

/** `freshet promote`: makes the candidate of a held run live. */
export function promoteCommand(): Command {
  const command = new Command('promote')
    .description('make the candidate of a held run live, after its last changes were applied and verified')
    .argument('<run>', 'id of the run, as `freshet status` shows it')
    .option('--any-time', 'also outside of the promotion windows (default: it waits for the next one)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (runId: string, options: { anyTime?: boolean; config?: string; json?: boolean }) => {
      await changeAndReport({
        runId,
        configFile: options.config,
        json: options.json === true,
        change: (services) => promoteRun(services, runId, options.anyTime === true),
      });
    });
  return addExamples(
    command,
    'freshet promote 5c9861a1-5324-45c1-bfc5-8aca2b7233db',
    'freshet promote 5c9861a1-5324-45c1-bfc5-8aca2b7233db --any-time',
  );
}
