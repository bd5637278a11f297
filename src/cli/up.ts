import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { findOrchestrator } from '../engine/leadership.js';
import { loadConfig } from '../config/load.js';
import { standbyPollMs } from '../limits.js';
import { OrchestratorCandidate } from '../refresh/orchestrator.js';
import { colors } from './colors.js';
import { listUsedEnvironments } from './doctor.js';
import { endAsLost, endOnInterrupt } from './followRun.js';
import { configOption } from './options.js';
import { writeNote } from './output.js';
import { openServices, type CommandServices } from './services.js';

/** `freshet up`: the orchestrator. Resumes what an earlier one left and executes what commands enqueue, until it is stopped. */
export function upCommand(): Command {
  return new Command('up')
    .description(
      'run the orchestrator: resumes unfinished runs and executes those that commands add; a second one waits as standby',
    )
    .addOption(configOption())
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
  endOnInterrupt(services, 'Unfinished runs go on with: freshet up');
  await becomeOrchestrator(services);
  writeNote(
    `${colors.green('up')}: runs are executed as they are added; Ctrl-C stops, unfinished runs go on at the next start.`,
  );
}

/** Waits as standby while another process is the orchestrator. */
async function becomeOrchestrator(services: CommandServices): Promise<void> {
  const candidate = new OrchestratorCandidate(services, services.stateUrl, endAsLost);
  let told = false;
  while ((await candidate.tryOnce()) === null) {
    if (!told) {
      const other = (await findOrchestrator(services.state.pool)) ?? 'another process';
      writeNote(
        `${colors.cyan('standby')}: ${other} is the orchestrator; this process takes over when that one ends or freezes.`,
      );
    }
    told = true;
    await sleep(standbyPollMs);
  }
}
