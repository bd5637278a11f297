import { expect, inject, test } from 'vitest';
import { withSession } from '../../../src/postgres/session.js';
import { addApiActivity, createApiTables } from '../../../src/sample/index.js';
import { createDatabase } from '../../setup/databases.js';

test('activity of users and moderators deletes, marks and lists some records, and repeated adds nothing', async () => {
  const database = await createDatabase(inject('parts').apiUrl);
  await withSession(database.url, { applicationName: 'test', called: 'API database' }, async (session) => {
    await createApiTables(session);
    for (const media of ['image', 'audio']) {
      await session.query(
        `insert into public.${media} (created_on, updated_on, identifier, license, removed_from_source)
         select now(), now(), md5(n::text)::uuid, 'by', false from generate_series(1, 2000) n`,
      );
    }
    const first = await addApiActivity(session, 5);
    expect(first).toHaveLength(2);
    for (const { deleted, sensitive, listed } of first) {
      for (const count of [deleted, sensitive, listed]) {
        expect(count).toBeGreaterThan(3);
        expect(count).toBeLessThan(60);
      }
    }
    expect(await addApiActivity(session, 5)).toEqual(
      first.map(({ media }) => ({ media, deleted: 0, sensitive: 0, listed: 0 })),
    );
  });
  await database.drop();
});
