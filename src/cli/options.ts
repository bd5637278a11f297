import { InvalidArgumentError, Option, type Command } from 'commander';
import { recordLimitMax, runsListedMax, sampleRecordsMax, verifyShownMax } from '../limits.js';

/** Options that several commands have, and how their values are read. */

const configHelp = 'configuration file (default: freshet.config.{ts,js,mjs,json,yaml,yml} in this folder)';

export function configOption(): Option {
  return new Option('--config <file>', configHelp);
}

export function jsonOption(): Option {
  return new Option('--json', 'one JSON object on stdout, and nothing else there');
}

/** What scripts and people rely on; the same for every command. */
export const exitStatusHelp = `
Exit status: 0 done, 1 failed, 2 refused by a check (nothing changed), 64 bad usage or configuration, 130 interrupted.`;

/** The commands' examples and exit statuses, below their options. */
export function addExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ ${example}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${lines}\n${exitStatusHelp}`);
}

/** A whole number from `min` to `max`, with or without thousands marks (`1,000`, `1_000`). */
function parseWhole(text: string, min: number, max: number, unit: string): number {
  const plain = text.replaceAll(/(?<=\d)[,_](?=\d)/g, '');
  const number = Number(plain);
  if (/^\d+$/.test(plain) && number >= min && number <= max) return number;
  throw new InvalidArgumentError(`It must be a whole number of ${unit} from ${min} to ${max}.`);
}

/** `none` stays a word: the option library takes null for a missing value. */
export function parseLimit(text: string): number | 'none' {
  return text === 'none' ? text : parseWhole(text, 1, recordLimitMax, 'rows (or `none`)');
}

export function parseRecords(text: string): number {
  return parseWhole(text, 1, sampleRecordsMax, 'records');
}

export function parseRuns(text: string): number {
  return parseWhole(text, 1, runsListedMax, 'runs');
}

export function parseShown(text: string): number {
  return parseWhole(text, 0, verifyShownMax, 'keys');
}
