import { FreshetError, messageOf } from '../../errors.js';

/** What the doctor found about one thing. */
export interface Finding {
  /** What was looked at: `catalog`, `table public.image`, `alias image`. */
  readonly check: string;
  readonly ok: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** What to do; null where nothing is to be done. */
  readonly remedy: string | null;
}

export function ok(check: string, message: string): Finding {
  return { check, ok: 'ok', message, remedy: null };
}

export function warning(check: string, message: string, remedy: string): Finding {
  return { check, ok: 'warning', message, remedy };
}

export function problem(check: string, message: string, remedy: string): Finding {
  return { check, ok: 'problem', message, remedy };
}

/** The findings, or `fine` where there are none. */
export function orOk(findings: readonly Finding[], fine: Finding): Finding[] {
  return findings.length === 0 ? [fine] : [...findings];
}

/** An error as a finding: our own errors bring their remedy. */
export function findingOf(check: string, error: unknown): Finding {
  if (error instanceof FreshetError) return problem(check, error.message, error.remedy);
  return problem(check, messageOf(error), 'Correct what the server says, then run `freshet doctor` again.');
}

/** Runs a check; what it throws is a finding, so that one broken part hides no other. */
export async function attempt(check: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    return [findingOf(check, error)];
  }
}
