import { FreshetError } from '../errors.js';
import type { Session } from './session.js';
import type { QualifiedName } from './identifiers.js';
import type { IsRunOver } from './tempTable.js';

/** A marked object of ours in the API database. */
export interface Part {
  readonly oid: number;
  readonly name: QualifiedName;
  /** The live name of the table that it was made for. */
  readonly liveName: string;
  readonly kind: 'table' | 'orphans';
  readonly runId: string;
  readonly media: string;
  readonly role: 'candidate' | 'live' | 'previous';
  readonly snapshotAt: Date | null;
  readonly version: string;
}

/** The marks of a media type whose objects exist under the marked name. */
export async function listParts(session: Session, media: string): Promise<Part[]> {
  await session.query('select 1');
  throw new FreshetError('INTERNAL', `not there yet: ${media}`);
}

export interface DropOptions {
  readonly media: string;
  /** Previous tables (and kept orphans) of generations that stay. */
  readonly keepOids: readonly number[];
  /** Temp tables of these runs are dropped as well. Default: none. */
  readonly isRunOver?: IsRunOver;
}

/** Drops what no kept generation uses: only marked, only previous (or candidates of runs that are over), never live, never CASCADE. */
export async function dropPrevious(apiUrl: string, options: DropOptions): Promise<Part[]> {
  await Promise.resolve();
  throw new FreshetError('INTERNAL', `not there yet: ${apiUrl.length} ${options.media}`);
}
