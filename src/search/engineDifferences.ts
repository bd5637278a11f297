import { FreshetError } from '../errors.js';

/**
 * All that differs between OpenSearch 2 and 3 and Elasticsearch 8 and 9 for our purposes. Measured on OpenSearch 2.19.6 and 3.8.0,
 * Elasticsearch 8.19.8 and 9.4.3. Deliberately not used, so that they need no branch: points in time (other paths and names; our searches
 * read indexes that nobody writes, sorted by a unique id) and Elasticsearch's larger clause limit (`queryClausesMax` holds on all).
 */
export type Engine = 'opensearch' | 'elasticsearch';

const supportedMajors: Readonly<Record<Engine, readonly number[]>> = {
  opensearch: [2, 3],
  elasticsearch: [8, 9],
};

interface RootAnswer {
  readonly version?: { readonly distribution?: string; readonly number?: string };
  readonly tagline?: string;
}

function engineOf(root: RootAnswer): Engine | null {
  if (root.version?.distribution === 'opensearch') return 'opensearch';
  // Elasticsearch names no distribution; its tagline is checked by its own clients too.
  const isElasticsearch = root.version?.distribution === undefined && root.tagline === 'You Know, for Search';
  return isElasticsearch ? 'elasticsearch' : null;
}

/** Engine and version from the answer to `GET /`. Throws SEARCH_VERSION_UNSUPPORTED for everything that freshet was not tested with. */
export function recogniseEngine(answer: unknown): { engine: Engine; version: string } {
  const root = (typeof answer === 'object' && answer !== null ? answer : {}) as RootAnswer;
  const engine = engineOf(root);
  const version = root.version?.number;
  if (engine === null || typeof version !== 'string') {
    throw new FreshetError(
      'SEARCH_VERSION_UNSUPPORTED',
      'The search URL answers, but neither as OpenSearch nor as Elasticsearch.',
    );
  }
  if (!supportedMajors[engine].includes(Number.parseInt(version, 10))) {
    const name = engine === 'opensearch' ? 'OpenSearch' : 'Elasticsearch';
    throw new FreshetError('SEARCH_VERSION_UNSUPPORTED', `The search cluster is ${name} ${version}.`, {
      engine,
      version,
    });
  }
  return { engine, version };
}

/** Error types with which the engines refuse work that does not fit on their disks. */
export function isNoSpace(status: number, type: string, reason: string): boolean {
  const isBlock = type === 'cluster_block_exception' || type === 'index_create_block_exception';
  return isBlock && (status === 429 || /read-only-allow-delete|flood|disk|create-index/i.test(reason));
}
