import { Command } from 'commander';
import { findDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import type { RefreshRequest } from '../refresh/startRun.js';
import { startRefresh } from '../refresh/startRun.js';
import { addExamples, configOption, jsonOption, parseLimit } from './options.js';
import { runAndReport } from './runAndReport.js';

interface RefreshCommandOptions {
  readonly indexSuffix?: string;
  readonly skipCopyData?: boolean;
  readonly allowConcurrent?: boolean;
  readonly recordLimit?: number | 'none';
  readonly hold?: boolean;
  readonly config?: string;
  readonly json?: boolean;
}

/** `freshet refresh`: one data refresh, followed to its end. */
export function refreshCommand(): Command {
  const command = new Command('refresh')
    .description(
      "replace a media type's tables and indexes with the catalog's present data; interrupted, the same command goes on",
    )
    .argument('<definition...>', '`local_image_data_refresh`, or `local image` (`freshet config` lists all)')
    .option('--index-suffix <suffix>', 'suffix of the new indexes (default: a uuid without hyphens)')
    .option('--skip-copy-data', 'rebuild the indexes from the live table, without copying from the catalog')
    .option('--allow-concurrent', 'do not wait for a refresh of another media type in the environment')
    .option(
      '--record-limit <rows>',
      'copy at most so many rows, ordered by their key; `none` for all (default: as configured)',
      parseLimit,
    )
    .option('--hold', 'stop before the promotion; `freshet promote` goes on')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(runRefresh);
  return addExamples(
    command,
    'freshet refresh local image',
    'freshet refresh local_audio_data_refresh --record-limit none',
    'freshet refresh local image --skip-copy-data',
  );
}

async function runRefresh(words: string[], options: RefreshCommandOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findDefinition(config, words);
  const recordLimit = options.recordLimit === 'none' ? null : options.recordLimit;
  const request: RefreshRequest = { ...options, recordLimit };
  await runAndReport({
    environment: definition.environment.name,
    configFile: options.config,
    json: options.json === true,
    resumeWith: `freshet refresh ${words.join(' ')}`,
    title: definition.id,
    definitionId: definition.id,
    start: (services) => startRefresh(services, findDefinition(services.config, words), request),
  });
}
