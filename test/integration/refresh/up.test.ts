import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createApiTables } from '../../../src/sample/index.js';
import { withSession } from '../../../src/postgres/session.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import { createStaging, isAlive, stagingVariables, startUp } from './staging.js';

/** Staging, executed by an orchestrator of its own: the command only adds the run and follows it. */
describe('freshet up', () => {
  let environment: LocalEnvironment;
  let production: TestDatabase;
  beforeEach(async () => {
    environment = await createStaging(inject('parts'));
    production = await createDatabase(inject('parts').apiUrl);
    await withSession(production.url, { applicationName: 'test', called: 'test' }, createApiTables);
  });
  afterEach(async () => {
    await environment.drop();
    await production.drop();
  });

  /** The test's databases are staging's; production has an API database of its own and no cluster that is up. */
  const variables = (): Record<string, string> => ({
    ...stagingVariables(environment),
    FRESHET_PRODUCTION_API_URL: production.url,
    FRESHET_PRODUCTION_SEARCH_URL: 'http://127.0.0.1:9',
  });

  it('D9: executes a staging refresh on staging’s own databases, while production’s stay as they are', async () => {
    const up = startUp(environment, variables());
    await up.says(/^up:/m);
    const outcome = await environment.run(
      ['refresh', 'staging', 'image', '--record-limit', '550', '--json'],
      variables(),
    );
    expect(outcome.stderr).not.toContain('error');
    expect(outcome.status).toBe(0);
    expect((await environment.documents(environment.aliases.image)).size).toBeGreaterThan(500);
    const rows = async (url: string): Promise<number> =>
      withSession(url, { applicationName: 'test', called: 'test' }, async (session) => {
        const { rows: counted } = await session.query<{ rows: string }>(
          'select count(*) as rows from public.image',
        );
        return Number(counted[0]?.rows);
      });
    expect(await rows(environment.api.url)).toBe(550);
    expect(await rows(production.url)).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends by %s with status 0, as a service that is asked to',
    async (signal) => {
      const up = startUp(environment, variables());
      await up.says(/^up:/m);
      up.child.kill(signal);
      const { status, stderr } = await up.ended;
      expect(status).toBe(0);
      expect(stderr).toContain(
        'stopped: nothing that is live was changed by that. Unfinished runs go on with: freshet up',
      );
      expect(stderr).not.toContain('error');
      expect(isAlive(up.pid)).toBe(false);
    },
  );
});
