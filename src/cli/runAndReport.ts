import { colors } from './colors.js';
import prettyMs from 'pretty-ms';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOrchestrator } from '../engine/leadership.js';
import { loadConfig } from '../config/load.js';
import { exitStatus, FreshetError } from '../errors.js';
import { followPollMs, orchestratorLooksMax, rejectsShownMax } from '../limits.js';
import { commandThatGoesOn, requireRun } from '../refresh/changeRun.js';
import type { Reconciled } from '../refresh/reconcile.js';
import type { RolledBack } from '../refresh/steps/rollBack.js';
import { listPhases } from '../state/phases.js';
import { listChecks, listEvents, listRejects, readCounts } from '../state/records.js';
import { listSlices } from '../state/slices.js';
import { listWorkers } from '../state/workers.js';
import { listUnfinishedRuns, type Run } from '../state/runs.js';
import { listUsedEnvironments } from './doctor.js';
import { followRun, LocalOrchestrator } from './followRun.js';
import { endOnInterrupt, type Interrupts } from './interrupts.js';
import { describeFailure, formatCount, statusOfRun, writeJson, writeLine, writeNote } from './output.js';
import { durationMs } from './progressView.js';
import { openServices, type CommandServices } from './services.js';

export interface RunCommand {
  readonly environment: string;
  readonly configFile: string | undefined;
  readonly json: boolean;
  /** The command that goes on with an interrupted run. */
  readonly resumeWith: string;
  readonly title: string;
  readonly definitionId: string;
  start(services: CommandServices): Promise<string>;
}

/** Starts a run (or finds the one of this definition that goes on), follows it to its end and says what came of it. */
export async function runAndReport(command: RunCommand): Promise<void> {
  const services = await openServices({
    configFile: command.configFile,
    environment: command.environment,
    report: (line) => writeNote(colors.dim(line)),
    log: logLine,
  });
  let runId: string | null = null;
  const interrupts = endOnInterrupt(services, {
    whatNow:
      command.environment === 'local'
        ? `The run goes on with: ${command.resumeWith}`
        : 'The run goes on in the orchestrator; watch it with: freshet status',
    followed: () => runId,
  });
  try {
    const orchestrator = new LocalOrchestrator(services, command.environment);
    runId = await findInterrupted(services, orchestrator, command);
    runId ??= await command.start(services);
    if (!command.json) writeLine(`${colors.bold(command.title)} ${colors.dim(`run ${runId}`)}`);
    if (command.environment !== 'local')
      writeNote(colors.dim('Executed by the orchestrator (`freshet up`) of this state database.'));
    const run = await followRun(services, orchestrator, runId, command.json);
    runId = null;
    await reportRun(services, run, command.json);
    await orchestrator.finish();
    process.exitCode = statusAfter(run, interrupts);
  } finally {
    await services.close();
  }
}

/** Whoever cancelled the run by Ctrl-C is told so as after any other one. */
function statusAfter(run: Run, interrupts: Interrupts): number {
  return interrupts.hasCancelled() && run.state === 'cancelled' ? exitStatus.interrupted : statusOfRun(run);
}

export interface ExistingRunCommand {
  readonly runId: string;
  readonly configFile: string | undefined;
  readonly json: boolean;
  /** What the command does to the run; then the run is followed to its end. */
  change(services: CommandServices): Promise<Run>;
}

/** Changes a run that there is (cancel, retry, promote) and follows it to its end. Ends with the run's status, or 130 where Ctrl-C cancelled it. */
export async function changeAndReport(command: ExistingRunCommand): Promise<Run> {
  const config = await loadConfig({ cwd: process.cwd(), file: command.configFile, env: process.env });
  const services = await openServices({
    configFile: command.configFile,
    environment: listUsedEnvironments(config)[0] ?? 'local',
    report: (line) => writeNote(colors.dim(line)),
    log: logLine,
  });
  try {
    const { environment } = await requireRun(services, command.runId);
    const changed = await command.change(services);
    let followed = changed.cancelRequestedAt === null ? changed.id : null;
    const interrupts = endOnInterrupt(services, { whatNow: whatNowOf(changed), followed: () => followed });
    const orchestrator = new LocalOrchestrator(services, environment);
    if (!command.json) writeLine(`${colors.bold(changed.definition)} ${colors.dim(`run ${changed.id}`)}`);
    const run = await followRun(services, orchestrator, changed.id, command.json);
    followed = null;
    await reportRun(services, run, command.json);
    await orchestrator.finish();
    process.exitCode = statusAfter(run, interrupts);
    return run;
  } finally {
    await services.close();
  }
}

/** For whoever leaves a run that this command has changed. */
function whatNowOf(run: Run): string {
  const isCancelled = run.cancelRequestedAt !== null;
  const command = commandThatGoesOn(run);
  if (command === null) {
    return `The orchestrator goes on with ${isCancelled ? 'the cancellation' : 'the run'}; watch it with: freshet status`;
  }
  return isCancelled
    ? `The cancellation goes on with: freshet cancel ${run.id}`
    : `The run goes on with: ${command}`;
}

/** Workers' lines are for whoever asks for them: `FRESHET_DEBUG=1`. */
export function logLine(line: string): void {
  if (process.env['FRESHET_DEBUG'] === '1') writeNote(line);
}

/** A run of this definition that an earlier command left is gone on with; nothing is begun twice. One that was cancelled is ended first. */
async function findInterrupted(
  services: CommandServices,
  orchestrator: LocalOrchestrator,
  command: RunCommand,
): Promise<string | null> {
  const unfinished = await listUnfinishedRuns(services.state, command.environment);
  const own = unfinished.find((run) => run.definition === command.definitionId);
  if (own === undefined || own.state === 'held' || command.environment !== 'local') return null;
  const other = await findOtherOrchestrator(services);
  if (other !== null) {
    throw new FreshetError(
      'ALREADY_RUNNING',
      `${own.definition} is ${own.state} already (run ${own.id}), in another process (${other}).`,
      { run: own.id },
    );
  }
  if (own.cancelRequestedAt !== null) {
    writeNote(
      `${colors.yellow('cancelling')}: run ${own.id} was cancelled and is not over; its end comes first.`,
    );
    await followRun(services, orchestrator, own.id, command.json);
    return null;
  }
  const { indexSuffix, recordLimit, skipCopyData } = own.parameters;
  const limit = skipCopyData
    ? 'without copying'
    : recordLimit === null
      ? 'no record limit'
      : `at most ${formatCount(recordLimit)} records`;
  const how = own.flow === 'rollback' ? '' : ` (index suffix ${indexSuffix}, ${limit})`;
  writeNote(
    `${colors.yellow('resuming')}: run ${own.id}, begun ${own.createdAt.toISOString()}, was not over. It goes on as it was begun${how}.`,
  );
  return own.id;
}

/** The process that executes runs of this state database now. One that was just killed is seen for a moment longer. */
async function findOtherOrchestrator({ state }: CommandServices): Promise<string | null> {
  for (let looks = 1; ; looks += 1) {
    const found = await findOrchestrator(state.pool);
    if (found === null || looks === orchestratorLooksMax) return found;
    await sleep(followPollMs);
  }
}

/** What happened: phases, counts per source before and after, checks. */
async function reportRun(services: CommandServices, run: Run, json: boolean): Promise<void> {
  const record = await readRecord(services, run);
  if (json) writeJson(record);
  if (run.state === 'held') writeHeld(run, record, json);
  else if (run.state !== 'succeeded') writeNote(describeFailure(run));
  else if (!json) writeSuccess(run, record);
}

function writeHeld(run: Run, { phases }: RunRecord, json: boolean): void {
  if (run.error !== null) writeNote(describeFailure(run));
  if (json) return;
  const shown = phases.find((phase) => phase.name === 'show-candidate')?.result?.['aliases'];
  const aliases = Array.isArray(shown) ? ` Look at it as ${shown.join(' and ')} (read-only).` : '';
  writeLine(`${colors.cyan('held')} before its promotion; what is live was not changed.${aliases}`);
  writeLine(`${colors.dim('→')} freshet promote ${run.id}   or   freshet cancel ${run.id}`);
}

/** The whole record of a run. */
async function readRecord(services: CommandServices, run: Run) {
  const { state } = services;
  const [phases, slices, workers, checks, rejects, events, before, after] = await Promise.all([
    listPhases(state, run.id),
    listSlices(state, run.id),
    listWorkers(state, run.id),
    listChecks(state, run.id),
    listRejects(state, run.id, rejectsShownMax),
    listEvents(state, run.id, 0),
    readCounts(state, run.id, 'before'),
    readCounts(state, run.id, 'after'),
  ]);
  const timed = phases.map((phase) => ({ ...phase, durationMs: durationMs(phase) }));
  return { run, phases: timed, slices, workers, checks, rejects, events, counts: { before, after } };
}

type RunRecord = Awaited<ReturnType<typeof readRecord>>;

function writeRolledBack(run: Run, { phases }: RunRecord): void {
  const ms = (run.finishedAt?.getTime() ?? 0) - (run.startedAt?.getTime() ?? 0);
  const resultOf = (name: string) => phases.find((phase) => phase.name === name)?.result as unknown;
  const { generation, orphansKept, orphansReturned } = resultOf('promote') as RolledBack;
  const { rowsDeleted, documentsDeleted, documentsUpdated } = resultOf('reconcile') as Reconciled;
  writeLine(
    `${colors.green('succeeded')} in ${prettyMs(ms)}: what run ${generation} made is live again. Applied to it before: ${formatCount(rowsDeleted)} rows and ${formatCount(documentsDeleted)} documents deleted, ${formatCount(documentsUpdated)} documents marked or unmarked`,
  );
  if (orphansKept + orphansReturned > 0) {
    writeLine(
      colors.dim(
        `  ${formatCount(orphansKept)} rows of lists were put aside, because their records are not there; ${formatCount(orphansReturned)} are back`,
      ),
    );
  }
  writeLine(
    `${colors.dim('→')} The next refresh makes new records live as always: pause it (freshet pause ${run.environment} ${run.media}) until the reason is gone. Undo: freshet rollback ${run.environment} ${run.media}`,
  );
}

function writeSuccess(run: Run, record: RunRecord): void {
  if (run.flow === 'rollback') return writeRolledBack(run, record);
  const { checks, counts } = record;
  const ms = (run.finishedAt?.getTime() ?? 0) - (run.startedAt?.getTime() ?? 0);
  const sum = (of: Readonly<Record<string, number>>): number =>
    Object.values(of).reduce((total, rows) => total + rows, 0);
  const [before, after] = [sum(counts.before), sum(counts.after)];
  const change =
    before === 0 ? '' : ` (${after >= before ? '+' : ''}${(((after - before) / before) * 100).toFixed(1)} %)`;
  writeLine(
    `${colors.green('succeeded')} in ${prettyMs(ms)}: ${formatCount(before)} → ${formatCount(after)} documents${change}, ${checks.length} checks passed`,
  );
  const sources = Object.keys({ ...counts.before, ...counts.after }).sort();
  const changed = sources.filter((source) => counts.before[source] !== counts.after[source]);
  for (const source of changed.slice(0, 20)) {
    writeLine(
      colors.dim(
        `  ${source.padEnd(24)} ${formatCount(counts.before[source] ?? 0)} → ${formatCount(counts.after[source] ?? 0)}`,
      ),
    );
  }
  if (changed.length > 20) writeLine(colors.dim(`  … and ${changed.length - 20} more sources`));
}
