import { Command } from 'commander';
import { requireRun } from '../refresh/changeRun.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { changeAndReport } from './runAndReport.js';

/** `freshet watch`: follows a run that somebody else started to its end; changes nothing. */
export function watchCommand(): Command {
  const command = new Command('watch')
    .description('follow a run that is under way to its end, or show what came of one that is over')
    .argument('<run>', 'id of the run, as `freshet status` shows it')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (runId: string, options: { config?: string; json?: boolean }) => {
      await changeAndReport({
        runId,
        configFile: options.config,
        json: options.json === true,
        change: (services) => requireRun(services, runId),
      });
    });
  return addExamples(command, 'freshet watch 5c9861a1-5324-45c1-bfc5-8aca2b7233db');
}
