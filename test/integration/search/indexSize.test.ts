import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openSearchClient, type SearchClient } from '../../../src/search/client.js';
import { readIndexSize } from '../../../src/search/indexSize.js';
import { uniqueName } from '../../setup/databases.js';

describe('the size of an index', () => {
  const { searchUrl } = inject('parts');
  const index = uniqueName('size');
  let client: SearchClient;
  const send = async (method: string, path: string, body: object): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${searchUrl}/${path}`, { method, headers, body: JSON.stringify(body) });
    expect(answer.ok, await answer.text()).toBe(true);
  };
  beforeAll(async () => {
    client = openSearchClient([searchUrl]);
    await send('PUT', index, { settings: { number_of_replicas: 0 } });
    for (const id of [1, 2, 3]) await send('PUT', `${index}/_doc/${id}?refresh=true`, { title: `t${id}` });
  });
  afterAll(async () => {
    await fetch(`${searchUrl}/${index}`, { method: 'DELETE' });
    await client.close();
  });

  it('is its documents and bytes; nothing where there is none', async () => {
    const size = await readIndexSize(client, index);
    expect(size?.documents).toBe(3);
    expect(size?.bytes).toBeGreaterThan(0);
    expect(await readIndexSize(client, uniqueName('none'))).toBeNull();
  });
});
