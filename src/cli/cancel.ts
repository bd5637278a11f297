import { Command } from 'commander';
import { exitStatus } from '../errors.js';
import { cancelRun } from '../refresh/changeRun.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { changeAndReport } from './runAndReport.js';

/** `freshet cancel`: stops a run within seconds and removes what it made; what is live stays. */
export function cancelCommand(): Command {
  const command = new Command('cancel')
    .description('stop a run within seconds and remove what it made; refused once its promotion has begun')
    .argument('<run>', 'id of the run, as `freshet status` shows it')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(async (runId: string, options: { config?: string; json?: boolean }) => {
      const run = await changeAndReport({
        runId,
        configFile: options.config,
        json: options.json === true,
        change: (services) => cancelRun(services, runId),
      });
      if (run.state === 'cancelled') process.exitCode = exitStatus.done;
    });
  return addExamples(command, 'freshet cancel 5c9861a1-5324-45c1-bfc5-8aca2b7233db');
}
