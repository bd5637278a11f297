import { Client } from '@opensearch-project/opensearch';

/** The one client that serves OpenSearch 2 and 3 and Elasticsearch 8 and 9 (measured: docs/decisions). */
export type SearchClient = Client;

/** Opens a client for the nodes of one cluster. URLs may hold user and password; they are never printed. Call `close()` when done. */
export function openSearchClient(urls: readonly string[]): SearchClient {
  return new Client({ nodes: [...urls], maxRetries: 0, requestTimeout: 60_000 });
}
