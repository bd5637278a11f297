import Table from 'cli-table3';
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import prettyMs from 'pretty-ms';
import { definitions, findDefinition } from '../config/definitions.js';
import type { Config, RefreshDefinition } from '../config/types.js';
import { loadConfig } from '../config/load.js';
import { showGenerations, type GenerationPart, type ShownGeneration } from '../refresh/generations.js';
import { listReachable } from '../refresh/maintenance.js';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { formatCount, plainTable, writeJson, writeLine, writeNote } from './output.js';
import { openServices, type CommandServices } from './services.js';

/** `freshet generations`: what is live, what was live before it and can come back, and what waits to become live. */
export function generationsCommand(): Command {
  const command = new Command('generations')
    .description(
      'what is live, what was live before and can come back (`freshet rollback`), and what waits to become live: age, sizes, what they share',
    )
    .argument(
      '[words...]',
      '`production`, `production image` or `production_image_data_refresh` (default: all)',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(listGenerations);
  return addExamples(command, 'freshet generations', 'freshet generations production image --json');
}

async function listGenerations(words: string[], options: { config?: string; json?: boolean }): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const wanted = wantedOf(config, words);
  const services = await openServices({
    configFile: options.config,
    environment: wanted?.[0]?.environment.name ?? listUsedEnvironments(config)[0] ?? 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    const shown = await showAll(services, wanted);
    if (options.json === true) writeJson({ generations: shown });
    else if (shown.length === 0) writeLine('No generation yet: nothing was promoted.');
    else writeLine(tableOf(shown));
  } finally {
    await services.close();
  }
}

/** Null = every definition whose environment has its URLs. */
function wantedOf(config: Config, words: readonly string[]): RefreshDefinition[] | null {
  if (words.length === 0) return null;
  const own = definitions(config).filter(({ environment }) => environment.name === words.join(' '));
  return own.length > 0 ? own : [findDefinition(config, words)];
}

async function showAll(
  services: CommandServices,
  wanted: readonly RefreshDefinition[] | null,
): Promise<ShownGeneration[]> {
  const reachable = wanted === null ? await listReachable(services) : [];
  const shown: ShownGeneration[] = [];
  for (const definition of wanted ?? definitions(services.config)) {
    if (wanted === null && !reachable.includes(definition.environment.name)) continue;
    shown.push(...(await showGenerations(services, definition)));
  }
  return shown;
}

function tableOf(shown: readonly ShownGeneration[]): string {
  const table = new Table({
    head: [
      'environment',
      'media',
      'generation',
      'run',
      'live since',
      'part',
      'rows',
      'size',
      'shared with run',
    ],
    ...plainTable,
  });
  for (const generation of shown) {
    for (const [place, part] of generation.parts.entries()) {
      const own = place === 0 ? describeGeneration(generation) : ['', '', '', '', ''];
      table.push([...own, ...describePart(part)]);
    }
  }
  return table.toString();
}

const colourOf = { live: colors.green, previous: colors.cyan, candidate: colors.yellow, gone: colors.dim };

function describeGeneration({
  environment,
  media,
  state,
  runId,
  runState,
  createdAt,
  promotedAt,
}: ShownGeneration) {
  const at = promotedAt ?? createdAt;
  const age = prettyMs(Math.max(0, Date.now() - at.getTime()), { compact: true });
  const since = `${at.toISOString().slice(0, 16).replace('T', ' ')} (${age})`;
  const run = runState === null || runState === 'succeeded' ? runId : `${runId} (${runState})`;
  return [environment, media, colourOf[state](state), run, promotedAt === null ? `made ${since}` : since];
}

function describePart({ kind, name, isThere, count, bytes, sharedWith }: GenerationPart): string[] {
  const what = kind === 'table' ? `table ${name}` : name;
  if (!isThere) return [what, colors.red('gone'), '', ''];
  if (count === null || bytes === null) return [what, colors.red('not up'), '', sharedWith.join('\n')];
  const rows = kind === 'table' ? `~${formatCount(count)}` : formatCount(count);
  return [what, rows, prettyBytes(bytes), sharedWith.join('\n')];
}
