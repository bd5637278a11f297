import { lookupValuesMax } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';

/** The ids of documents whose keyword `field` has one of these values, as of the index' last refresh. A field is expected to be unique. */
export async function findIdsByKeyword(
  client: SearchClient,
  index: string,
  field: string,
  values: readonly string[],
): Promise<string[]> {
  const ids: string[] = [];
  for (let next = 0; next < values.length; next += lookupValuesMax) {
    const part = values.slice(next, next + lookupValuesMax);
    const { body } = await callEngine<{ hits: { hits: readonly { _id: string }[] } }>(client, {
      method: 'POST',
      path: [index, '_search'],
      // A document that a missing shard holds would count as not there.
      query: { allow_partial_search_results: false },
      // Twice the values: a duplicated record must not hide another one.
      body: { size: part.length * 2, _source: false, query: { terms: { [field]: part } } },
      what: `looking up documents of ${index} by ${field}`,
      repeatable: true,
    });
    ids.push(...body.hits.hits.map((hit) => hit._id));
  }
  return ids;
}
