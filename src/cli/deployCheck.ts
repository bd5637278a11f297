import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { environmentOf, listEmbeddedParts, resolveEnvironment } from '../config/resolve.js';
import type { Config } from '../config/types.js';
import { findFolderOwner, findRunningParts } from '../embedded/parts.js';
import { exitStatus, messageOf } from '../errors.js';
import {
  cannotTell,
  checkDeployment,
  type BusyRun,
  type DeployCheckUrls,
  type EnvironmentActivity,
  type Verdict,
} from '../refresh/deployCheck.js';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { configOption, jsonOption } from './options.js';
import { writeJson, writeLine } from './output.js';

const statusOf = {
  idle: exitStatus.done,
  busy: exitStatus.failed,
  'cannot tell': exitStatus.cannotTell,
} as const satisfies Record<Verdict, number>;

/** `freshet deploy-check`: whether a run would be in a deployment's way, for scripts by its exit status. Starts and changes nothing. */
export function deployCheckCommand(): Command {
  return new Command('deploy-check')
    .description('say by exit status whether a run is under way, queued or waiting: for deployment scripts')
    .argument('[environment]', 'environment (default: every one whose URLs are set)')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ freshet deploy-check production
  $ freshet deploy-check production --json

Exit status: 0 idle, 1 busy (what, since when, expected end), 3 cannot tell, 64 bad usage or configuration.`,
    )
    .action(checkAll);
}

async function checkAll(
  environment: string | undefined,
  options: { config?: string; json?: boolean },
): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  if (environment !== undefined) environmentOf(config, environment);
  const names = environment === undefined ? listUsedEnvironments(config) : [environment];
  const found: EnvironmentActivity[] = [];
  for (const name of names) found.push(await checkEnvironment(config, name));
  const verdict = verdictOf(found);
  if (options.json === true) writeJson({ verdict, environments: found });
  else writeLine(found.map(describeActivity).join('\n'));
  // Not left to the event loop: a server that does not answer would hold the process.
  process.exit(statusOf[verdict]);
}

/** Busy is known, whatever else could not be told. */
function verdictOf(found: readonly EnvironmentActivity[]): Verdict {
  const verdicts = found.map(({ verdict }) => verdict);
  if (verdicts.includes('busy')) return 'busy';
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === 'idle') ? 'idle' : 'cannot tell';
}

/** What stands in the way of looking is a reason for "cannot tell", never an error of the command. */
async function checkEnvironment(config: Config, name: string): Promise<EnvironmentActivity> {
  try {
    return await checkDeployment(name, await findUrls(config, name));
  } catch (error) {
    return cannotTell(name, messageOf(error));
  }
}

/** Embedded parts are looked for, never started. */
async function findUrls(config: Config, name: string): Promise<DeployCheckUrls> {
  const embedded = name === 'local' ? listEmbeddedParts(config, name) : [];
  const running = embedded.length === 0 ? null : await findRunningParts(config.embeddedFolder);
  if (embedded.length > 0 && running === null) {
    const owner = await findFolderOwner(config.embeddedFolder);
    if (owner !== null)
      throw new Error(`the embedded parts in ${config.embeddedFolder} (process ${owner}) do not answer`);
  }
  const none = { catalogUrl: '', apiUrl: '', stateUrl: '', searchUrl: '' };
  const urls = await resolveEnvironment(
    config,
    name,
    process.env,
    running === null ? none : { ...running, searchUrl: running.searchUrl ?? '' },
  );
  const orNull = (url: string) => (url === '' ? null : url);
  return {
    stateUrl: orNull(urls.stateUrl),
    apiUrl: orNull(urls.apiUrl),
    isStateEmbedded: embedded.includes('state'),
  };
}

const shown = {
  idle: colors.green('idle'),
  busy: colors.yellow('busy'),
  'cannot tell': colors.red('cannot tell'),
};

function describeActivity(found: EnvironmentActivity): string {
  const { environment, verdict, busy, holders, held, orchestrator, notes } = found;
  const isStuck = busy.length > 0 && orchestrator === false;
  return [
    `${colors.bold(environment)}: ${shown[verdict]}`,
    ...busy.map(describeBusy),
    ...(isStuck ? ['no orchestrator is up: these runs go on when one is (`freshet up`)'] : []),
    ...holders.map(
      ({ runId, media, host, heldSince }) =>
        `run ${runId} (${media}, on ${host}) holds the API database since ${heldSince.toISOString()}; this state database does not know it`,
    ),
    ...held.map(
      ({ run, definition }) =>
        `${definition} is held (run ${run}): it waits for \`freshet promote\`, nothing of it goes on`,
    ),
    ...notes,
  ].join('\n  ');
}

function describeBusy({ run, definition, state, since, expectedEnd, estimatedFrom }: BusyRun): string {
  const began = state === 'queued' || state === 'waiting' ? 'added' : 'since';
  const end =
    expectedEnd === null
      ? 'no estimate of its end'
      : `expected end ${expectedEnd.toISOString()}${expectedEnd < new Date() ? ' (overdue)' : ''}, an estimate from the last ${estimatedFrom} successful run${estimatedFrom === 1 ? '' : 's'}`;
  return `${definition} is ${state} (run ${run}), ${began} ${since.toISOString()}; ${end}`;
}
