import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { findOrchestrator } from '../engine/leadership.js';
import { exitStatus, FreshetError, messageOf } from '../errors.js';
import { embeddedStopMs, eventPollMs, standbyPollMs, upStopMs } from '../limits.js';
import { OrchestratorCandidate } from '../refresh/orchestrator.js';
import { findSchedules, nextRuns, serveSchedules, type Schedules } from '../refresh/schedules.js';
import { listAllEvents, readNewestEventId } from '../state/records.js';
import { withLimit } from '../withLimit.js';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { endAsLost } from './followRun.js';
import { describeInterruption } from './interrupts.js';
import { configOption } from './options.js';
import { statusOfError, writeError, writeNote } from './output.js';
import { describeEvent } from './progressView.js';
import { openServices, type CommandServices } from './services.js';

/** `freshet up`: the orchestrator. Resumes what an earlier one left, executes what commands and schedules add, until it is stopped. */
export function upCommand(): Command {
  return new Command('up')
    .description(
      'run the orchestrator: resumes unfinished runs, executes those that commands and schedules add; a second one waits as standby',
    )
    .addOption(configOption())
    .addHelpText(
      'after',
      '\nExit status: 0 stopped (SIGTERM, Ctrl-C), 1 failed or not the orchestrator any more: start it again.',
    )
    .action(runOrchestrator);
}

async function runOrchestrator(options: { config?: string }): Promise<void> {
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const services = await openServices({
    configFile: options.config,
    environment: listUsedEnvironments(config)[0] ?? 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: writeNote,
  });
  endWhenAsked(services);
  try {
    await becomeOrchestrator(services);
    writeNote(
      `${colors.green('up')}: runs are executed as they are added; Ctrl-C stops, unfinished runs go on at the next start.`,
    );
    await Promise.all([keepSchedules(services), tellEvents(services)]);
  } catch (error) {
    // It was asked to end and has closed its connections.
    if (services.closing.aborted) return;
    // Not left to the event loop: the engine, once launched, would go on without schedules.
    writeError(error);
    process.exit(statusOfError(error));
  }
}

/**
 * SIGTERM and Ctrl-C are the regular end of a service: status 0. Runs are left where they are, as a crash would leave them, so that it is quick
 * and a standby takes over at once.
 */
function endWhenAsked(services: CommandServices): void {
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(exitStatus.interrupted);
    isEnding = true;
    services.beginClosing();
    withLimit(tellAndClose(services), services.startedParts ? embeddedStopMs + upStopMs : upStopMs)
      .catch((error: unknown) => writeNote(messageOf(error)))
      .finally(() => process.exit(exitStatus.done));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}

async function tellAndClose(services: CommandServices): Promise<void> {
  const what = await describeInterruption(services);
  writeNote(`\n${colors.yellow('stopped')}: ${what} Unfinished runs go on with: freshet up`);
  await services.close();
}

/** Everything that is recorded from now on, of runs and beside them, goes into this process's log as well. */
async function tellEvents(services: CommandServices): Promise<void> {
  const { state, closing } = services;
  let newest = await readNewestEventId(state);
  while (!closing.aborted) {
    await sleep(eventPollMs);
    // A state database that does not answer is the leadership's business.
    for (const event of await listAllEvents(state, newest).catch(() => [])) {
      newest = event.id;
      writeNote(`${describeEvent(event)}${event.runId === null ? '' : colors.dim(` run ${event.runId}`)}`);
    }
  }
}

/** Waits as standby while another process is the orchestrator. */
async function becomeOrchestrator(services: CommandServices): Promise<void> {
  const candidate = new OrchestratorCandidate(services, services.stateUrl, endAsLost);
  let told: string | null = null;
  while (!services.closing.aborted) {
    const obstacle = await tryToBecome(candidate, services, told);
    if (obstacle === null) return;
    if (told !== obstacle) writeNote(`${colors.cyan('standby')}: ${obstacle}`);
    told = obstacle;
    await sleep(standbyPollMs);
  }
  throw new Error('it is asked to end');
}

/** @returns what is in the way. A state database that restarts ends the orchestrator, so a standby must outlive it. */
async function tryToBecome(
  candidate: OrchestratorCandidate,
  services: CommandServices,
  told: string | null,
): Promise<string | null> {
  try {
    if ((await candidate.tryOnce()) !== null) return null;
    const other = await findOrchestrator(services.state.pool).catch(() => null);
    // It has ended since; the next try tells.
    if (other === null && told !== null) return told;
    return `${other ?? 'another process'} is the orchestrator; this process takes over when that one ends or freezes.`;
  } catch (error) {
    // Embedded parts of another process do not come back under these URLs.
    const mayComeBack = services.embedded === null || services.startedParts;
    const isUnreachable = error instanceof FreshetError && error.code === 'DATABASE_UNREACHABLE';
    if (!mayComeBack || !isUnreachable || !candidate.mayTryAgain()) throw error;
    return `${error.message} It is tried again until it answers.`;
  }
}

/** Serves the schedules as long as the process lives. */
async function keepSchedules(services: CommandServices): Promise<void> {
  const schedules = await findSchedules(services, services.stateUrl);
  // Words only: a state database that does not answer now is no reason to end.
  await tellSchedules(services, schedules).catch((error: unknown) => writeNote(messageOf(error)));
  await serveSchedules(services, schedules.served, services.closing);
}

/** Says when what runs next, and what of the used environments cannot be served. */
async function tellSchedules(services: CommandServices, { unserved }: Schedules): Promise<void> {
  const used = listUsedEnvironments(services.config);
  for (const { definition, environment, reason } of unserved) {
    if (!used.includes(environment)) continue;
    writeNote(`${colors.yellow('not scheduled')}: ${definition}: ${reason.replaceAll(/\s*\n\s*/g, ' ')}`);
  }
  for (const { definition, nextAt, pausedSince } of await nextRuns(services, services.stateUrl)) {
    const when =
      nextAt === null ? `paused since ${pausedSince?.toISOString()}` : `next at ${nextAt.toISOString()}`;
    writeNote(`${colors.dim('schedule')} ${definition}: ${when}`);
  }
}
