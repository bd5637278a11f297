import type { z } from 'zod';
import { FreshetError } from '../errors.js';
import { didYouMean } from './nearMisses.js';
import { keysAt } from './schemaKeys.js';

/** What is wrong with a configuration at one key. `path` is dotted; empty = the whole of it. */
export interface Problem {
  readonly path: string;
  readonly reason: string;
}

/**
 * All problems of a configuration as one error. Reasons never hold values of keys that may be secret. `title` says what they prevent;
 * by default that the file is not valid.
 */
export function configurationError(
  file: string | null,
  problems: readonly Problem[],
  { title = `${file ?? 'The configuration'} is not valid`, cause }: { title?: string; cause?: unknown } = {},
): FreshetError {
  const lines = problems.map(({ path, reason }) => `  ${path === '' ? '' : `${path}: `}${reason}`);
  const count = problems.length === 1 ? '' : ` (${problems.length} problems)`;
  return new FreshetError(
    'CONFIGURATION_INVALID',
    `${title}${count}:\n${lines.join('\n')}`,
    { file, paths: problems.map(({ path }) => path), reasons: problems.map(({ reason }) => reason) },
    { cause },
  );
}

/** Zod's issues in our words, one problem a key. */
export function problemsOf(error: z.ZodError, schema: z.core.$ZodType): Problem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, schema));
}

function problemsOfIssue(issue: z.core.$ZodIssue, schema: z.core.$ZodType): Problem[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      reason: `unknown key.${didYouMean(key, known) || ` Possible here: ${known.join(', ')}.`}`,
    }));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ path: path.join('.'), reason: `name: ${inner.message}` }));
  }
  return [{ path: path.join('.'), reason: reasonOf(issue) }];
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return `is missing; expected: ${issue.expected}.`;
  }
  return issue.message;
}
