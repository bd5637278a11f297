import { Client } from '@opensearch-project/opensearch';
import { searchRequestTimeoutMs, searchSocketsMax } from '../limits.js';
import { callEngine } from './call.js';
import { setRules, type ClientRules } from './clientRules.js';
import { recogniseEngine, type Engine } from './engineDifferences.js';

/** The one client that serves OpenSearch 2 and 3 and Elasticsearch 8 and 9 (measured: docs/decisions). */
export type SearchClient = Client;

/**
 * Opens a client for the nodes of one cluster. URLs may hold user and password; they are never printed. Call `close()` when done.
 * Requests are never repeated by the client itself: it would repeat writes whose answer was lost. Ours that may be, say so (`callEngine`).
 */
export function openSearchClient(urls: readonly string[], rules: ClientRules = {}): SearchClient {
  const client = new Client({
    nodes: [...urls],
    maxRetries: 0,
    requestTimeout: searchRequestTimeoutMs,
    resurrectStrategy: 'optimistic',
    agent: { maxSockets: searchSocketsMax, maxFreeSockets: searchSocketsMax },
  });
  setRules(client, rules);
  return client;
}

type ClusterHealth = 'green' | 'yellow' | 'red';

export interface ClusterDescription {
  readonly engine: Engine;
  readonly version: string;
  readonly name: string;
  readonly nodes: number;
  /** Nodes that hold documents: replicas need more than one. */
  readonly dataNodes: number;
  readonly health: ClusterHealth;
}

interface HealthBody {
  readonly cluster_name: string;
  readonly number_of_nodes: number;
  readonly number_of_data_nodes: number;
  readonly status: ClusterHealth;
}

/** What the cluster is. Throws SEARCH_UNREACHABLE, SEARCH_FORBIDDEN, or SEARCH_VERSION_UNSUPPORTED for engines that freshet does not know. */
export async function describeCluster(client: SearchClient, timeoutMs?: number): Promise<ClusterDescription> {
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  const root = await callEngine<unknown>(client, {
    method: 'GET',
    path: [],
    what: 'reading its version',
    ...limit,
  });
  const engine = recogniseEngine(root.body);
  const { body } = await callEngine<HealthBody>(client, {
    method: 'GET',
    path: ['_cluster', 'health'],
    what: 'reading its health',
    ...limit,
  });
  return {
    ...engine,
    name: body.cluster_name,
    nodes: body.number_of_nodes,
    dataNodes: body.number_of_data_nodes,
    health: body.status,
  };
}
