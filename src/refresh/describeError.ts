import { errorKinds, FreshetError, messageOf, type ErrorCode, type ErrorDetails } from '../errors.js';
import { explainDatabaseFault } from '../postgres/faults.js';
import type { RunError } from '../state/runs.js';

/**
 * Describes an error for the operator; also one that the engine stored and gave back without its class.
 * @param runId of the run that it ends: the remedy names the command that goes on with it.
 */
export function describeError(thrown: unknown, runId?: string): RunError {
  const error = explainDatabaseFault(thrown);
  const known = error as { details?: ErrorDetails; phase?: string };
  const phase = known.phase ?? null;
  const message = messageOf(error);
  const code = codeOf(error);
  const details = {
    ...(runId === undefined ? {} : { run: runId }),
    ...(code === 'INTERNAL' ? {} : known.details),
  };
  const { remedy } = new FreshetError(code, message, details);
  return { code, message, remedy, phase, details };
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof FreshetError) return error.code;
  const { code, details } = error as { code?: unknown; details?: ErrorDetails };
  const isStored = typeof code === 'string' && Object.hasOwn(errorKinds, code) && details !== undefined;
  return isStored ? (code as ErrorCode) : 'INTERNAL';
}
