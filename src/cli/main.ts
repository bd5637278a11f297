import { CommanderError } from 'commander';
import { FreshetError } from '../errors.js';
import { readArmed } from '../failpoints.js';
import { endWaitMs } from '../limits.js';
import { statusOfError, writeError, writeJsonError } from './output.js';
import { createProgram } from './program.js';

// A deprecation inside the engine's use of its Postgres pool; nothing that an operator could do anything about.
process.noDeprecation = true;

// Whoever reads may stop reading (`freshet status | head`): no reason to end a run that goes on, nor to show a stack.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** What a command threw. The library has written its own errors already; help and version end here too, with status 0. */
function endWith(error: unknown): void {
  const isUsage = error instanceof CommanderError;
  if (isUsage && error.exitCode === 0) return;
  const known = isUsage
    ? new FreshetError('USAGE', error.message.replace(/^error: /, '').replaceAll('\n', ' '))
    : error;
  if (!isUsage) writeError(known);
  if (process.argv.includes('--json')) writeJsonError(known);
  process.exitCode = statusOfError(known);
  // What still runs (an engine whose database does not answer) would keep a process that has said how it ended, and its run with it.
  setTimeout(() => process.exit(), endWaitMs).unref();
}

try {
  readArmed(process.env);
  await (await createProgram(process.argv[2])).parseAsync();
} catch (error) {
  endWith(error);
}
