import { afterAll, expect, inject } from 'vitest';
import type { IndexDefinition } from '../../../src/config/types.js';
import { imageMappings, openverseAnalysis } from '../../../src/documents/openverseIndex.js';
import { callEngine } from '../../../src/search/call.js';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';
import { createIndex, refreshIndex, type IndexMark, type NewIndex } from '../../../src/search/index.js';
import { indexDocuments } from '../../../src/search/writes.js';
import { uniqueName } from '../../setup/databases.js';

/** The real engine of the test run, and names under a prefix of the file's own; all indexes with it are deleted at the file's end. */
export interface TestEngine {
  readonly client: SearchClient;
  readonly prefix: string;
  name(what: string): string;
  /** Creates an index of Openverse's image definition. */
  create(name: string, options?: Partial<NewIndex>): Promise<string>;
  /** Writes documents, `_id` = `id`, and refreshes. */
  fill(name: string, documents: readonly { id: number; [field: string]: unknown }[]): Promise<void>;
}

export const definition: IndexDefinition = {
  alias: 'image',
  filteredAlias: 'image-filtered',
  analysis: openverseAnalysis,
  mappings: imageMappings,
  sensitiveTermFields: ['title', 'description', 'tags.name'],
};

export const mark: IndexMark = { runId: 'run-1', media: 'image', role: 'main', version: '0.1.0' };

export function useEngine(): TestEngine {
  const client = openSearchClient([inject('parts').searchUrl]);
  const prefix = uniqueName('search');
  let count = 0;
  afterAll(async () => {
    for (const pattern of [`${prefix}*`, `freshet-write-${prefix}*`]) {
      const { body } = await callEngine<Record<string, unknown>>(client, {
        method: 'GET',
        path: [pattern],
        what: 'clean-up',
      });
      for (const index of Object.keys(body)) {
        await callEngine(client, { method: 'DELETE', path: [index], what: 'clean-up', accept: [404] });
      }
    }
    await client.close();
  });
  const engine: TestEngine = {
    client,
    prefix,
    name: (what) => `${prefix}-${what}-${(count += 1)}`,
    create: async (name, options) => {
      await createIndex(client, { name, index: definition, shards: 1, mark, writeAlias: null, ...options });
      return name;
    },
    fill: async (name, documents) => {
      await indexDocuments(
        client,
        name,
        documents.map((document) => ({ id: String(document.id), document })),
      );
      await refreshIndex(client, name);
    },
  };
  return engine;
}

export const refusedWith = (code: string): unknown => expect.objectContaining({ code });
