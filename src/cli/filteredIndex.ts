import { Command } from 'commander';
import { filteredIndexId, findFilteredIndexDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import { startFilteredIndex } from '../refresh/startRun.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { runAndReport } from './runAndReport.js';

interface FilteredIndexCommandOptions {
  readonly originSuffix?: string;
  readonly destinationSuffix?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet filtered-index`: rebuilds the filtered index of the live index and promotes it alone. */
export function filteredIndexCommand(): Command {
  const command = new Command('filtered-index')
    .description('rebuild the filtered index of the live index and promote it alone')
    .argument('<definition...>', '`local_create_filtered_image_index`, or `local image`')
    .option('--origin-suffix <suffix>', 'suffix of the index that it is built from (default: the live one)')
    .option(
      '--destination-suffix <suffix>',
      'suffix of the new filtered index (default: a uuid without hyphens)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(runFilteredIndex);
  return addExamples(
    command,
    'freshet filtered-index local image',
    'freshet filtered-index production_create_filtered_audio_index',
  );
}

async function runFilteredIndex(words: string[], options: FilteredIndexCommandOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findFilteredIndexDefinition(config, words);
  await runAndReport({
    environment: definition.environment.name,
    configFile: options.config,
    json: options.json === true,
    resumeWith: `freshet filtered-index ${words.join(' ')}`,
    title: filteredIndexId(definition),
    definitionId: filteredIndexId(definition),
    start: (services) =>
      startFilteredIndex(services, findFilteredIndexDefinition(services.config, words), options),
  });
}
