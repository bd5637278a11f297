import { createHash } from 'node:crypto';
import type { DocumentDefinition } from './types.js';

/**
 * What the workers of one run must agree on: sha-256 (hexadecimal) over the definition's version, columns and the source text of its builder.
 * Functions that the builder calls are not in that text: whoever changes one changes `version`.
 */
export function documentDigest({ version, columns, build }: DocumentDefinition): string {
  return createHash('sha256')
    .update(JSON.stringify([version, columns, build.toString()]))
    .digest('hex');
}
