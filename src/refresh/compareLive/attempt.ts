import type { RefreshDefinition } from '../../config/types.js';
import type { Session } from '../../postgres/session.js';
import type { SearchClient } from '../../search/client.js';
import type { Services } from '../context.js';
import type { Finding } from './findings.js';

/** How far a comparison is: `done` of about `total`. */
export interface CompareProgress {
  readonly part: 'catalog' | 'terms' | 'live' | 'differences';
  readonly done: number;
  readonly total: number;
  readonly unit: string;
}

export interface CompareOptions {
  /** Findings of each kind that are kept. */
  readonly keptMax: number;
  /** Everything that is found. `null`: what was told before does not count, a promotion came in between. */
  readonly onFinding: (finding: Finding | null) => Promise<void> | void;
  readonly onProgress: (progress: CompareProgress) => void;
  /** For people: a promotion came in between. */
  readonly onNote: (line: string) => void;
  /** Ends it; the reason is thrown. */
  readonly signal: AbortSignal;
}

/** One try, and what it works with. */
export interface Attempt {
  readonly services: Pick<Services, 'state' | 'config' | 'env'>;
  readonly definition: RefreshDefinition;
  readonly options: CompareOptions;
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly search: SearchClient;
}

/** The catalog's snapshot; the live table's pages; single rows, lists and values, beside them. */
export interface CompareSessions extends Record<string, Session> {
  readonly catalog: Session;
  readonly pages: Session;
  readonly single: Session;
}
