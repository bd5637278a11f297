import { Command } from 'commander';
import { filteredIndexId, findFilteredIndexDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import { startFilteredIndex } from '../refresh/startRun.js';
import { runAndReport } from './runAndReport.js';

interface FilteredIndexCommandOptions {
  readonly originSuffix?: string;
  readonly destinationSuffix?: string;
  readonly config?: string;
  readonly json: boolean;
}

/** `freshet filtered-index`: rebuilds the filtered index of the live index and promotes it alone. */
export function filteredIndexCommand(): Command {
  return new Command('filtered-index')
    .description('rebuild the filtered index of the live index and promote it alone')
    .argument('<definition...>', '`local_create_filtered_image_index`, or `local image`')
    .option('--origin-suffix <suffix>', 'suffix of the index that it is built from (default: the live one)')
    .option(
      '--destination-suffix <suffix>',
      'suffix of the new filtered index (default: a uuid without hyphens)',
    )
    .option('--config <file>', 'configuration file (default: freshet.config.{ts,js,mjs,json,yaml,yml})')
    .option('--json', 'one JSON object on stdout', false)
    .action(runFilteredIndex);
}

async function runFilteredIndex(words: string[], options: FilteredIndexCommandOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findFilteredIndexDefinition(config, words);
  await runAndReport({
    environment: definition.environment.name,
    configFile: options.config,
    json: options.json,
    resumeWith: `freshet filtered-index ${words.join(' ')}`,
    title: filteredIndexId(definition),
    definitionId: filteredIndexId(definition),
    start: (services) =>
      startFilteredIndex(services, findFilteredIndexDefinition(services.config, words), options),
  });
}
