import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openSession } from '../../../src/postgres/session.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';

/** A process that froze while it made the tables of the state database has their lock for ever. */
describe('a frozen process that prepares the state database', () => {
  const environments: LocalEnvironment[] = [];
  beforeAll(async () => {
    for (let count = 0; count < 2; count += 1)
      environments.push(await LocalEnvironment.create(inject('parts'), { tables: false }));
  });
  afterAll(() => Promise.all(environments.map((local) => local.drop())));

  it.concurrent.each([
    ["freshet's own tables", 'freshet.migrations', 0],
    ['those of the engine', 'freshet.engine migrations', 1],
  ])('does not hold up others for ever: %s', async (_what, lock, index) => {
    const local = environments[index];
    if (local === undefined) throw new Error('no environment');
    const frozen = await openSession(local.state.url, {
      applicationName: 'frozen',
      called: 'state database',
    });
    try {
      const { rows } = await frozen.query<{ pid: number }>('select pg_backend_pid() as pid');
      await frozen.query('select pg_advisory_lock(hashtextextended($1, 0))', [lock]);
      const outcome = await local.run(['refresh', 'local', 'image']);
      expect(outcome.status).toBe(1);
      expect(outcome.stderr).toContain(`for 30 s: pid ${rows[0]?.pid} (frozen, `);
      expect(outcome.stderr).toContain('STATE_LOCKED');
    } finally {
      await frozen.end();
    }
    // Once it is gone everything goes on: there is no table in the catalog, and that is what is said.
    expect((await local.run(['refresh', 'local', 'image'])).stderr).toContain('TABLE_MISSING');
  });
});
