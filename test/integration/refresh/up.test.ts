import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createApiTables, fillCatalog } from '../../../src/sample/index.js';
import { withSession } from '../../../src/postgres/session.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';
import { LocalEnvironment, outcomeOf } from '../../setup/localEnvironment.js';

/** Staging, executed by an orchestrator of its own: the command only adds the run and follows it. */
describe('freshet up', () => {
  let environment: LocalEnvironment;
  let production: TestDatabase;
  beforeEach(async () => {
    environment = await LocalEnvironment.create(inject('parts'));
    production = await createDatabase(inject('parts').apiUrl);
    await withSession(production.url, { applicationName: 'test', called: 'test' }, createApiTables);
  });
  afterEach(async () => {
    await environment.drop();
    await production.drop();
  });

  /** The test's databases are staging's; production has an API database of its own and no cluster that is up. */
  const variables = (): Record<string, string> => ({
    FRESHET_API_URL: '',
    FRESHET_SEARCH_URL: '',
    FRESHET_STAGING_API_URL: environment.api.url,
    FRESHET_STAGING_SEARCH_URL: environment.searchUrl,
    FRESHET_PRODUCTION_API_URL: production.url,
    FRESHET_PRODUCTION_SEARCH_URL: 'http://127.0.0.1:9',
    FRESHET_SENSITIVE_TERMS: `${environment.folder}/terms.txt`,
  });

  it('D9: executes a staging refresh on staging’s own databases, while production’s stay as they are', async () => {
    await environment.writeFile('terms.txt', 'lighthouse\n');
    await environment.writeConfig({ environments: { staging: { media: { image: { shards: 1 } } } } });
    await fillCatalog({ catalogUrl: environment.catalog.url, media: 'image', records: 600, seed: 5 });
    const up = environment.spawn(['up'], variables());
    const ended = outcomeOf(up);
    if (up.stderr === null) throw new Error('no stderr');
    await once(createInterface({ input: up.stderr }), 'line');
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
    up.kill('SIGTERM');
    expect((await ended).status).toBe(130);
  });
});
