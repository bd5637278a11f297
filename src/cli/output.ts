import { colors } from './colors.js';
import { exitStatus, FreshetError, policyOf, type ErrorPolicy } from '../errors.js';
import { describeError } from '../refresh/describeError.js';
import type { Run } from '../state/runs.js';

/** Numbers as people read them: 1,234,567. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** Tables without rules between rows and without colours of their own (a library's colours do not ask whether this is a terminal). */
export const plainTable = {
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  style: { head: [], border: [] },
};

export function writeLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** For people, where stdout belongs to a program's output. */
export function writeNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

let isJsonWritten = false;

/** The one JSON object of a command with `--json`. */
export function writeJson(object: unknown): void {
  isJsonWritten = true;
  writeLine(JSON.stringify(object));
}

/** What a program reads in place of a result, unless one was written already. */
export function writeJsonError(error: unknown): void {
  const { code, message, remedy } = describeError(error);
  if (!isJsonWritten) writeJson({ error: { code, message, remedy } });
}

/** What happened and what to do next. */
export function writeError(error: unknown): void {
  const { code, message, remedy } = describeError(error);
  writeNote(`${colors.red('error')} ${message} ${colors.dim(`(${code})`)}`);
  writeNote(`${colors.dim('→')} ${remedy}`);
  if (process.env['FRESHET_DEBUG'] === '1' && error instanceof Error) writeNote(error.stack ?? '');
}

/** The exit status that an error of a command ends with. */
export function statusOfError(error: unknown): number {
  const policy = error instanceof FreshetError ? error.policy : 'stop';
  return statusOfPolicy(policy);
}

function statusOfPolicy(policy: ErrorPolicy): number {
  if (policy === 'usage') return exitStatus.usage;
  return policy === 'refuse' ? exitStatus.refused : exitStatus.failed;
}

/** The exit status that the end of a run stands for. */
export function statusOfRun(run: Run): number {
  if (run.state === 'refused') return exitStatus.refused;
  // A held run with an error could not be promoted.
  if (run.error !== null) return statusOfPolicy(policyOf(run.error.code));
  return run.state === 'succeeded' || run.state === 'held' ? exitStatus.done : exitStatus.failed;
}

export function describeFailure(run: Run): string {
  const { error } = run;
  if (error === null) return `${run.definition} ${run.state}`;
  const where = error.phase === null ? '' : ` in ${error.phase}`;
  return `${colors.red(run.state)}${where}: ${error.message} ${colors.dim(`(${error.code})`)}\n${colors.dim('→')} ${error.remedy}`;
}
