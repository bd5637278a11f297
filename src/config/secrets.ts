import { readFile } from 'node:fs/promises';
import { messageOf } from '../errors.js';
import type { Variables } from './complete.js';
import { configurationError } from './problems.js';
import type { SecretReference } from './types.js';

/**
 * The value behind a reference. `keyPath` is the key that it stands at, for the error.
 * Throws CONFIGURATION_INVALID where the variable is unset or the file cannot be read or is empty; never prints the value.
 */
export async function resolveSecret(
  reference: SecretReference,
  env: Variables,
  keyPath: string,
): Promise<string> {
  if (typeof reference === 'string') return reference;
  if ('env' in reference) {
    const value = env[reference.env]?.trim() ?? '';
    if (value === '') throw secretError(keyPath, `the environment variable ${reference.env} is not set.`);
    return value;
  }
  const content = await readFile(reference.file, 'utf8').catch((error: unknown) => {
    throw secretError(keyPath, `the file cannot be read: ${messageOf(error)}`);
  });
  if (content.trim() === '') throw secretError(keyPath, `the file ${reference.file} is empty.`);
  return content.trim();
}

function secretError(path: string, reason: string) {
  return configurationError(null, [{ path, reason }], { title: 'A value that is needed is missing' });
}

/** Where a secret comes from and whether it is there, without its value. */
export function describeSecret(reference: SecretReference, env: Variables): string {
  if (typeof reference === 'string') return withoutQuery(reference);
  if ('file' in reference) return `file ${reference.file}`;
  return `env ${reference.env} (${(env[reference.env] ?? '') === '' ? 'not set' : 'set'})`;
}

/** A signed URL carries its secret in the query. */
function withoutQuery(text: string): string {
  const question = text.indexOf('?');
  return question < 0 ? text : `${text.slice(0, question)}?…`;
}
