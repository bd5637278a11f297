/**
 * The closed set of error kinds. Each kind has a code, the exit status that a command ends with, and the sentence that tells
 * the operator what to do next. `docs/errors.md` lists all of them; a test holds the two together.
 *
 * policy: `stop` = the run ends as failed; `refuse` = a check said no, nothing changed; `usage` = the command or the configuration
 * is wrong, nothing was started; `retry` = a passing fault that the step repeats with back-off before it becomes `stop`.
 */
export type ErrorPolicy = 'stop' | 'refuse' | 'usage' | 'retry';

export interface ErrorKind {
  readonly policy: ErrorPolicy;
  /** What the operator does next; `{name}` is replaced by the error's details. */
  readonly remedy: string;
}

export const errorKinds = {
  // --- command line and configuration
  USAGE: { policy: 'usage', remedy: 'See `freshet help`.' },
  CONFIGURATION_INVALID: {
    policy: 'usage',
    remedy: 'Correct the named key and run `freshet config` to see what is in force.',
  },
  DEFINITION_UNKNOWN: { policy: 'usage', remedy: 'Use one of the definitions that `freshet config` lists.' },
  NAME_INVALID: { policy: 'usage', remedy: 'Choose another name.' },
  // --- databases
  DATABASE_UNREACHABLE: {
    policy: 'stop',
    remedy:
      'Check that the {database} runs and that its URL, user and password are right: `freshet doctor`. Nothing was changed.',
  },
  // --- unexpected
  INTERNAL: {
    policy: 'stop',
    remedy:
      'This is a fault in freshet. Nothing that is live was changed by it; keep the run id and the log and report it.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** Process exit statuses of the command line. */
export const exitStatus = { done: 0, failed: 1, refused: 2, usage: 64, interrupted: 130 } as const;

/** An error that an operator can act on: what happened (message), what is safe and what to do next (remedy). Never holds a secret. */
export class FreshetError extends Error {
  override readonly name = 'FreshetError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get policy(): ErrorPolicy {
    return errorKinds[this.code].policy;
  }

  get remedy(): string {
    return errorKinds[this.code].remedy.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = this.details[name];
      return value === undefined ? whole : String(value);
    });
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
