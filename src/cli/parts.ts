import { Command } from 'commander';
import { colors } from './colors.js';
import { loadConfig } from '../config/load.js';
import { startParts, type PartsUrls } from '../embedded/parts.js';
import { stayUntilStopped } from './followRun.js';
import { configOption } from './options.js';
import { writeLine, writeNote } from './output.js';

/** `freshet parts`: embedded Postgres servers and search engine, for as long as the command runs. */
export function partsCommand(): Command {
  return new Command('parts')
    .description(
      'run the embedded databases and search engine of `local` until Ctrl-C; other commands in this folder use them',
    )
    .option('--folder <folder>', 'where their data is kept (default: .freshet beside the configuration)')
    .addOption(configOption())
    .action(runParts);
}

async function runParts(options: { folder?: string; config?: string }): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const folder = options.folder ?? config.embeddedFolder;
  const parts = await startParts({ folder, report: (line) => writeNote(colors.dim(line)) });
  writeLine(describeParts(parts));
  writeNote(colors.dim('Ctrl-C stops them; the data stays.'));
  stayUntilStopped(() => parts.stop());
}

/** Lines that a shell can source. The passwords are random, for servers that listen on this machine's loopback only. */
export function describeParts(urls: PartsUrls): string {
  return [
    `export FRESHET_CATALOG_URL='${urls.catalogUrl}'`,
    `export FRESHET_API_URL='${urls.apiUrl}'`,
    `export FRESHET_STATE_URL='${urls.stateUrl}'`,
    `export FRESHET_SEARCH_URL='${urls.searchUrl ?? ''}'`,
  ].join('\n');
}
