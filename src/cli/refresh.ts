import { Command, InvalidArgumentError } from 'commander';
import { findDefinition } from '../config/definitions.js';
import { loadConfig } from '../config/load.js';
import type { RefreshRequest } from '../refresh/startRun.js';
import { startRefresh } from '../refresh/startRun.js';
import { runAndReport } from './runAndReport.js';

interface RefreshCommandOptions {
  readonly indexSuffix?: string;
  readonly skipCopyData: boolean;
  readonly allowConcurrent: boolean;
  readonly recordLimit?: number | 'none';
  readonly config?: string;
  readonly json: boolean;
}

/** `freshet refresh`: one data refresh, followed to its end. */
export function refreshCommand(): Command {
  return new Command('refresh')
    .description('replace a media type’s tables and indexes with the catalog’s present data')
    .argument('<definition...>', '`local_image_data_refresh`, or `local image`')
    .option('--index-suffix <suffix>', 'suffix of the new indexes (default: a uuid without hyphens)')
    .option(
      '--skip-copy-data',
      'rebuild the indexes from the live table, without copying from the catalog',
      false,
    )
    .option('--allow-concurrent', 'do not wait for a refresh of another media type in the environment', false)
    .option(
      '--record-limit <rows>',
      'copy at most so many rows, ordered by their key; `none` for all',
      parseLimit,
    )
    .option('--config <file>', 'configuration file (default: freshet.config.{ts,js,mjs,json,yaml,yml})')
    .option('--json', 'one JSON object on stdout', false)
    .addHelpText(
      'after',
      `
Examples:
  $ freshet refresh local image
  $ freshet refresh local_audio_data_refresh --record-limit none
  $ freshet refresh local image --skip-copy-data

Exit status: 0 done, 1 failed, 2 refused by a check (nothing changed), 64 bad usage or configuration, 130 interrupted.`,
    )
    .action(runRefresh);
}

/** `none` stays a word: the option library takes null for a missing value. */
function parseLimit(text: string): number | 'none' {
  if (text === 'none') return text;
  const rows = Number(text.replaceAll(/[,_]/g, ''));
  if (Number.isInteger(rows) && rows > 0) return rows;
  throw new InvalidArgumentError('a whole number of rows above 0, or `none`.');
}

async function runRefresh(words: string[], options: RefreshCommandOptions): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const definition = findDefinition(config, words);
  const recordLimit = options.recordLimit === 'none' ? null : options.recordLimit;
  const request: RefreshRequest = { ...options, recordLimit };
  await runAndReport({
    environment: definition.environment.name,
    configFile: options.config,
    json: options.json,
    resumeWith: `freshet refresh ${words.join(' ')}`,
    title: definition.id,
    definitionId: definition.id,
    start: (services) => startRefresh(services, findDefinition(services.config, words), request),
  });
}
