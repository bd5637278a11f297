import type { CopyOptions, CopyResult } from './types.js';
import { FreshetError } from '../errors.js';

export type { CopyOptions, CopyProgress, CopyResult, CopiedMedia, TableCopyResult } from './types.js';

/** Copies all tables of a media type from one snapshot of the catalog into new temp tables of the API database. */
export async function copyMedia(options: CopyOptions): Promise<CopyResult> {
  await Promise.resolve();
  throw new FreshetError('INTERNAL', `not there yet: ${options.runId}`);
}
