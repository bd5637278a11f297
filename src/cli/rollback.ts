import { Command } from 'commander';
import { findRollbackDefinition, rollbackId } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import type { RefreshDefinition } from '../config/types.js';
import { planRollback, startRollback } from '../refresh/rollbackPlan.js';
import { askYesNo } from './askYesNo.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { writeLine } from './output.js';
import { runAndReport } from './runAndReport.js';
import { withTables } from './services.js';

interface RollbackOptions {
  readonly yes?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet rollback`: makes the generation live again that was live before the last promotion. */
export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description(
      'make live again what was live before the last promotion (tables and both indexes), with everything that was deleted or marked since; once more goes forward again',
    )
    .argument('<definition...>', '`local_image_data_refresh`, or `local image` (`freshet config` lists all)')
    .option('--yes', 'do not ask; nobody is asked where this is no terminal')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(rollBack);
  return addExamples(
    command,
    'freshet rollback production image',
    'freshet rollback staging_audio_data_refresh --json',
  );
}

async function rollBack(words: string[], options: RollbackOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findRollbackDefinition(config, words);
  if (!(await isConfirmed(definition, options))) return writeLine('Nothing was changed.');
  await runAndReport({
    environment: definition.environment.name,
    configFile: options.config,
    json: options.json === true,
    resumeWith: `freshet rollback ${words.join(' ')}`,
    title: rollbackId(definition),
    definitionId: rollbackId(definition),
    start: async (services) => {
      const own = findRollbackDefinition(services.config, words);
      return startRollback(services, own, await planRollback(services, own));
    },
  });
}

/** On a terminal, with what would happen. What cannot be done is refused here already. */
async function isConfirmed(definition: RefreshDefinition, options: RollbackOptions): Promise<boolean> {
  const isAnswered = options.yes === true || options.json === true;
  if (isAnswered || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  await withTables(definition.environment.name, options.config, async (services) => {
    const { from, to } = await planRollback(services, definition);
    const since = from.promotedAt?.toISOString() ?? 'an unknown time';
    writeLine(`Live is what run ${from.runId} made, since ${since}; before it that was run ${to.runId}.`);
  });
  return askYesNo('Make the one before live again?');
}
