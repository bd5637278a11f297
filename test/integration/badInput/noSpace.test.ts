import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';
import { expectError } from './untouched.js';

/** The engine's own block of full disks (flood stage), laid upon indexes when they are created. */
describe('disks of the search cluster that are full', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 3 });
    expect((await local.run(['refresh', 'local', 'image', '--index-suffix', 'live'])).status).toBe(0);
  });
  afterAll(() => local.drop());

  it.each([
    ['while workers index', 'full', 'reindex'],
    ['while the filtered index is filled', 'full-filtered', 'filtered-index'],
  ])(
    '%s are named within a minute, the live index stays, and the next run removes what is left',
    async (_when, blocked, phase) => {
      const template = `${local.aliases.image}-${blocked}`;
      await local.search(`_index_template/${template}`, {
        method: 'PUT',
        body: {
          index_patterns: [template],
          priority: 500,
          template: { settings: { 'index.blocks.read_only_allow_delete': true } },
        },
      });
      const documents = await local.documents(local.aliases.image);
      try {
        const outcome = await local.run(['refresh', 'local', 'image', '--index-suffix', 'full']);
        expectError(outcome, {
          status: 1,
          code: 'SEARCH_NO_SPACE',
          says: new RegExp(`failed in ${phase}: .*disks of the search cluster are nearly full`),
        });
        expect(await local.documents(local.aliases.image)).toEqual(documents);
      } finally {
        await local.search(`_index_template/${template}`, { method: 'DELETE' });
      }
      expect((await local.run(['refresh', 'local', 'image', '--index-suffix', phase])).status).toBe(0);
      const served = Object.entries(await local.indexes()).filter(([, aliases]) => aliases.length > 0);
      expect(Object.fromEntries(served)).toEqual({
        [`${local.aliases.image}-${phase}`]: [local.aliases.image],
        [`${local.aliases.image}-${phase}-filtered`]: [`${local.aliases.image}-filtered`],
      });
      expect(Object.keys(await local.indexes())).toHaveLength(4);
    },
    180_000,
  );
});
