import { Command } from 'commander';
import { findAnyDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import { pauseDefinition } from '../state/paused.js';
import { colors } from './colors.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { writeJson, writeLine, writeNote } from './output.js';
import { openServices, type CommandServices } from './services.js';

export interface PauseOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet pause`: no run of the definition is started, by command or schedule, until it is resumed. */
export function pauseCommand(): Command {
  const command = new Command('pause')
    .description(
      'start no run of a definition, by command or schedule, until `freshet resume`; runs under way go on',
    )
    .argument(
      '<definition...>',
      '`production_image_data_refresh`, or `production image` (`freshet config` lists all)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action((words: string[], options: PauseOptions) =>
      withDefinition(words, options, async ({ state }, definition) => {
        const pausedAt = await pauseDefinition(state, definition);
        if (options.json === true) return writeJson({ definition, paused: true, pausedAt });
        writeLine(`${colors.yellow('paused')} ${definition} since ${pausedAt.toISOString()}`);
        writeLine(`${colors.dim('→')} freshet resume ${definition}`);
      }),
    );
  return addExamples(
    command,
    'freshet pause production image',
    'freshet pause production_create_filtered_image_index',
  );
}

/** Opens the state that knows a definition, for as long as `work` takes. */
export async function withDefinition(
  words: readonly string[],
  options: PauseOptions,
  work: (services: CommandServices, definition: string) => Promise<void>,
): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const { id, environment } = findAnyDefinition(config, words);
  const services = await openServices({
    configFile: options.config,
    environment,
    withSearch: false,
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    await work(services, id);
  } finally {
    await services.close();
  }
}
