import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSystemPostgres, whyNoSystemPostgres, type SystemPostgres } from '../../setup/systemPostgres.js';
import { dumpWith, makeRoles, promoteTwice, seedGroups } from './randomShapes.js';

const whyNot = await whyNoSystemPostgres();
if (whyNot !== null) console.warn(`Random tables against pg_dump of Postgres 15: ${whyNot}`);

describe.skipIf(whyNot !== null)(`by pg_dump of Postgres 15${whyNot === null ? '' : ` (${whyNot})`}`, () => {
  let server: SystemPostgres;

  beforeAll(async () => {
    server = await startSystemPostgres();
    await makeRoles(server.url);
  });
  afterAll(() => server.stop());

  test.each(seedGroups)(
    'D27–D31: the tables of seeds %i to %i are what they were after two promotions, but for the declared column',
    async (...group) => {
      const found = await promoteTwice(group, { url: server.url, version: 15 }, dumpWith(server.pgDump));
      expect(found).toEqual([]);
    },
  );
});
