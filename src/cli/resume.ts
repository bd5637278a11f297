import { Command } from 'commander';
import { resumeDefinition } from '../state/paused.js';
import { colors } from './colors.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { writeJson, writeLine } from './output.js';
import { withDefinition, type PauseOptions } from './pause.js';

/** `freshet resume`: ends a pause. */
export function resumeCommand(): Command {
  const command = new Command('resume')
    .description(
      'let runs of a paused definition be started again; what its schedule named meanwhile is not made up for',
    )
    .argument(
      '<definition...>',
      '`production_image_data_refresh`, or `production image` (`freshet config` lists all)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action((words: string[], options: PauseOptions) =>
      withDefinition(words, options, async ({ state }, definition) => {
        const pausedAt = await resumeDefinition(state, definition);
        if (options.json === true) return writeJson({ definition, paused: false, pausedAt });
        if (pausedAt === null) return writeLine(`${definition} was not paused.`);
        writeLine(
          `${colors.green('resumed')} ${definition}, which was paused since ${pausedAt.toISOString()}`,
        );
      }),
    );
  return addExamples(
    command,
    'freshet resume production image',
    'freshet resume production_create_filtered_image_index',
  );
}
