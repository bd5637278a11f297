import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { plantDifferences, plantInSets, type Place } from './plants.js';
import { listTold } from './told.js';
import { refresh, verify } from './verified.js';

const records = 1_500;
/** Three more are in the sets. */
const planted = { image: 200, audio: 97 } as const;

/** `freshet verify` where somebody changed tables and indexes by hand, in every way that it can tell. */
describe('a comparison of everything', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'), {
      env: { FRESHET_TEST_PART_ROWS: '400', FRESHET_SENSITIVE_TERMS: 'terms.txt' },
    });
    await local.writeFile('terms.txt', 'owl\nOld Bridge\n');
    for (const media of ['image', 'audio'] as const)
      await fillCatalog({ catalogUrl: local.catalog.url, media, records, seed: 5 });
  });
  afterAll(() => local.drop());

  it('finds nothing after a refresh, and 300 planted differences of every kind, each with its kind and columns, and nothing else', async () => {
    for (const media of ['image', 'audio'] as const) {
      await refresh(local, media);
      const { told, status } = await verify(local, media);
      expect(status, JSON.stringify([told.faults, told.expected])).toBe(0);
      expect(told).toMatchObject({ equal: true, faults: [], expected: [] });
      expect(told.tables[0]).toMatchObject({ table: media, catalogRows: records, liveRows: records });
      expect(told.tables[0]?.columnsNotCompared).toEqual(['id', 'view_count']);

      const expected = await local.withApi((api) =>
        local.withCatalog(async (catalog) => {
          const [main, filtered] = [told.index, told.filteredIndex ?? ''];
          const place: Place = { catalog, api, searchUrl: local.searchUrl, media, main, filtered };
          const sets = media === 'audio' ? await plantInSets(place) : [];
          return [...(await plantDifferences(place, planted[media])), ...sets].sort();
        }),
      );
      const found = await verify(local, media, '--output', 'differences.csv');
      expect(listTold(found.told.faults)).toEqual(expected);
      expect(found.told.expected).toEqual([]);
      const lines = (await readFile(join(local.folder, 'differences.csv'), 'utf8')).trim().split('\n');
      expect(lines[0]).toBe('fault,kind,place,key,id,columns');
      expect(lines.length - 1).toBe(expected.length);
    }
  });
});
