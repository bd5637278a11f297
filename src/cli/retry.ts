import { Command } from 'commander';
import { retryRun } from '../refresh/changeRun.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { changeAndReport } from './runAndReport.js';

/** `freshet retry`: goes on with a run that failed or was refused; what is done is kept. */
export function retryCommand(): Command {
  const command = new Command('retry')
    .description('go on with a run that failed or was refused; what it has done is kept')
    .argument('<run>', 'id of the run, as `freshet status` shows it')
    .option('--from-step <step>', 'do this step and all after it again (default: from the step that failed)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (runId: string, options: { fromStep?: string; config?: string; json?: boolean }) => {
      await changeAndReport({
        runId,
        configFile: options.config,
        json: options.json === true,
        change: (services) => retryRun(services, runId, options.fromStep ?? null),
      });
    });
  return addExamples(
    command,
    'freshet retry 5c9861a1-5324-45c1-bfc5-8aca2b7233db',
    'freshet retry 5c9861a1-5324-45c1-bfc5-8aca2b7233db --from-step verify',
  );
}
