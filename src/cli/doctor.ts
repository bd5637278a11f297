import { Command } from 'commander';
import { colors } from './colors.js';
import { loadConfig } from '../config/load.js';
import {
  environmentOf,
  listEmbeddedParts,
  resolveEnvironment,
  type EmbeddedUrls,
} from '../config/resolve.js';
import type { Config } from '../config/types.js';
import { findRunningParts } from '../embedded/parts.js';
import { exitStatus } from '../errors.js';
import { addExamples, configOption, jsonOption } from './options.js';
import { runDoctor, type DoctorUrls, type Finding } from '../refresh/doctor.js';
import { attempt } from '../refresh/doctor/finding.js';

/** `freshet doctor`: looks at everything that a refresh needs and says what to do. Changes nothing. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('check connections, rights, versions, tables, names and leftovers, and say what to do')
    .argument('[environment]', 'environment (default: every one whose URLs are set)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(showFindings);
  return addExamples(command, 'freshet doctor', 'freshet doctor production');
}

async function showFindings(
  environment: string | undefined,
  options: { config?: string; json?: boolean },
): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const names = environment === undefined ? listUsedEnvironments(config) : [environment];
  for (const name of names) environmentOf(config, name);
  const found: [string, Finding[]][] = [];
  for (const name of names) found.push([name, await examineEnvironment(config, name)]);
  const isSound = found.every(([, findings]) => findings.every(({ ok }) => ok !== 'problem'));
  const text = options.json
    ? JSON.stringify({ ok: isSound, environments: Object.fromEntries(found) }, null, 2)
    : found.map(([name, findings]) => printEnvironment(name, findings)).join('\n\n');
  process.stdout.write(`${text}\n`);
  process.exitCode = isSound ? exitStatus.done : exitStatus.failed;
}

/** Environments that somebody gave a URL for; `local` when there is none. */
export function listUsedEnvironments(config: Config, env: NodeJS.ProcessEnv = process.env): string[] {
  const isGiven = (reference: unknown) =>
    typeof reference === 'object' && reference !== null && 'env' in reference
      ? Boolean(env[String(reference.env)])
      : reference !== null;
  const used = Object.values(config.environments)
    .filter(({ apiUrl, search }) => [apiUrl, ...(search.urls ?? [null])].some(isGiven))
    .map(({ name }) => name);
  const names = Object.keys(config.environments);
  return used.length > 0 ? used : [names.includes('local') ? 'local' : (names[0] ?? 'local')];
}

/** A missing variable is a finding here, so that the other environments are still looked at. */
async function examineEnvironment(config: Config, name: string): Promise<Finding[]> {
  return attempt('configuration', async () => runDoctor(config, name, await findUrls(config, name)));
}

const notRunning: EmbeddedUrls = { catalogUrl: '', apiUrl: '', stateUrl: '', searchUrl: '' };

async function findUrls(config: Config, name: string): Promise<DoctorUrls> {
  const isEmbedded = name === 'local' && listEmbeddedParts(config, name).length > 0;
  const running = isEmbedded ? await findRunningParts(config.embeddedFolder) : null;
  const embedded = running === null ? notRunning : { ...running, searchUrl: running.searchUrl ?? '' };
  const urls = await resolveEnvironment(config, name, process.env, embedded);
  const orNull = (url: string) => (url === '' ? null : url);
  return {
    catalogUrl: orNull(urls.catalogUrl),
    apiUrl: orNull(urls.apiUrl),
    stateUrl: orNull(urls.stateUrl),
    searchUrls: urls.searchUrls.filter((url) => url !== ''),
  };
}

const marks = {
  ok: colors.green('ok     '),
  warning: colors.yellow('warning'),
  problem: colors.red('problem'),
};

function printEnvironment(name: string, findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ check, ok, message, remedy }) => [
    `  ${marks[ok]}  ${colors.bold(check)}: ${message}`,
    ...(remedy === null ? [] : [`           ${colors.dim('→')} ${remedy}`]),
  ]);
  return [colors.bold(name), ...lines].join('\n');
}
