import { Command } from 'commander';
import { stringify } from 'yaml';
import { describeConfig } from '../config/describe.js';
import { loadConfig } from '../config/load.js';
import { configOption, jsonOption } from './options.js';

/** `freshet config`: what is in force after file, preset and environment variables, without a secret in it. */
export function configCommand(): Command {
  return new Command('config')
    .description('show the configuration that is in force, and the definitions that it gives')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(showConfig);
}

async function showConfig(options: { config?: string; json?: boolean }): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const described = describeConfig(config, process.env);
  const text = options.json
    ? JSON.stringify(described, null, 2)
    : stringify(described, { aliasDuplicateObjects: false, lineWidth: 120 });
  process.stdout.write(`${text.trimEnd()}\n`);
}
