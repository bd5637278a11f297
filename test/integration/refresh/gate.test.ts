import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment, type CommandOutcome } from '../../setup/localEnvironment.js';

/** The gate, on real parts: the run stands still (killed) before it is verified, something happens, and the run goes on. */
describe('the gate', () => {
  let local: LocalEnvironment;
  beforeEach(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await local.writeConfig(gateWith(null));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 500, seed: 5 });
    await local.writeFile('terms.txt', 'lighthouse\nharbour\n');
  });
  afterEach(() => local.drop());

  const gateWith = (sourceLossShareMax: number | null) => ({
    environments: { local: { gate: { sourceLossShareMax } } },
  });

  const env = () => ({ FRESHET_SENSITIVE_TERMS: `${local.folder}/terms.txt` });
  const run = (...args: string[]): Promise<CommandOutcome> => local.run([...args, '--json'], env());

  const holdBeforeGate = async (...args: string[]): Promise<void> => {
    const held = local.spawn(args, { ...env(), FRESHET_FAILPOINT: 'verify.before' });
    held.stdout?.resume();
    held.stderr?.resume();
    const [, signal] = (await once(held, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
  };

  /** Names of the checks that were not passed by the newest run. */
  const failedChecks = async (): Promise<string[]> => {
    const { rows } = await local.withState((session) =>
      session.query<{ name: string }>(
        `select name from freshet.checks where not passed and run_id = (select id from freshet.runs order by created_at desc limit 1) order by name`,
      ),
    );
    return rows.map((row) => row.name);
  };

  const refuses = async (command: 'refresh' | 'filtered-index'): Promise<string[]> => {
    expect((await run(command, 'local', 'image')).status).toBe(2);
    return failedChecks();
  };

  /** The API deletes a record: the row goes, it is listed, and both aliases lose the document. */
  const deleteRecord = async (id: string, identifier: unknown): Promise<void> => {
    await local.withApi((session) =>
      session.query(
        `begin; delete from public.image where id = ${id};
         insert into public.api_deletedimage (identifier, created_on, updated_on) values ('${String(identifier)}', now(), now()); commit`,
      ),
    );
    for (const alias of [local.aliases.image, `${local.aliases.image}-filtered`]) {
      await local.search(`${alias}/_doc/${id}?refresh=true`, { method: 'DELETE' });
    }
  };

  it('refuses a document that is stale, one that is missing and one that is too many', async () => {
    expect((await run('refresh', 'local', 'image', '--index-suffix', 'a')).status).toBe(0);
    const [stale, missing] = [...(await local.documents(local.aliases.image)).keys()];
    const index = `${local.aliases.image}-b`;
    await holdBeforeGate('refresh', 'local', 'image', '--index-suffix', 'b');
    await local.search(`${index}/_update/${stale ?? ''}?refresh=true`, {
      method: 'POST',
      body: { doc: { title: 'stale' } },
    });
    await local.search(`${index}/_doc/${missing ?? ''}?refresh=true`, { method: 'DELETE' });
    await local.search(`${index}/_doc/999999?refresh=true`, { method: 'PUT', body: { id: 999_999 } });
    expect(await refuses('refresh')).toEqual([
      'rows = documents in each bucket of ids',
      'sampled rows = their documents',
    ]);
  });

  it('goes on without a copy when the API deleted rows before it looked, and refuses a document that it lost itself', async () => {
    expect((await run('refresh', 'local', 'image', '--index-suffix', 'a')).status).toBe(0);
    const [first, second, third] = [...(await local.documents(local.aliases.image))];
    if (!first || !second || !third) throw new Error('no documents');
    await holdBeforeGate('refresh', 'local', 'image', '--skip-copy-data', '--index-suffix', 'b');
    await deleteRecord(first[0], first[1]['identifier']);
    await deleteRecord(second[0], second[1]['identifier']);
    expect((await run('refresh', 'local', 'image')).status).toBe(0);
    await holdBeforeGate('refresh', 'local', 'image', '--skip-copy-data', '--index-suffix', 'c');
    await local.search(`${local.aliases.image}-c/_doc/${third[0]}?refresh=true`, { method: 'DELETE' });
    expect(await refuses('refresh')).toEqual([
      'eligible rows = documents in the index',
      'filtered + matched = main',
      'rows = documents in each bucket of ids',
      'sampled rows = their documents',
    ]);
  });

  it('promotes a rebuilt filtered index though the API deleted documents with and without terms', async () => {
    expect((await run('refresh', 'local', 'image')).status).toBe(0);
    const filtered = await local.documents(`${local.aliases.image}-filtered`);
    const all = [...(await local.documents(local.aliases.image))];
    const plain = all.filter(([id]) => filtered.has(id)).slice(0, 2);
    const withTerms = all.filter(([id]) => !filtered.has(id)).slice(0, 2);
    expect([plain.length, withTerms.length]).toEqual([2, 2]);
    await holdBeforeGate('filtered-index', 'local', 'image', '--destination-suffix', 'alone');
    for (const [id, document] of [...plain, ...withTerms]) await deleteRecord(id, document['identifier']);
    expect((await run('filtered-index', 'local', 'image')).status).toBe(0);
    await local.search(`${local.aliases.image}-filtered/_refresh`, { method: 'POST' });
    expect((await local.documents(`${local.aliases.image}-filtered`)).size).toBe(filtered.size - 2);
  });

  it('refuses a rebuilt filtered index that lacks a range', async () => {
    expect((await run('refresh', 'local', 'image')).status).toBe(0);
    const [record] = [...(await local.documents(local.aliases.image))];
    await holdBeforeGate('filtered-index', 'local', 'image', '--destination-suffix', 'alone');
    await deleteRecord(record?.[0] ?? '', record?.[1]['identifier']);
    await local.search(`${local.aliases.image}-alone-filtered/_delete_by_query?refresh=true`, {
      method: 'POST',
      body: { query: { range: { id: { lte: 50 } } } },
    });
    expect(await refuses('filtered-index')).toEqual(['filtered + matched = main']);
  });

  it('counts sources whatever they are called, and refuses the loss of one', async () => {
    await local.writeConfig(gateWith(0.1));
    const rename = (to: string, where: string): Promise<unknown> =>
      local.withCatalog((session) =>
        session.query(
          `update public.image set source = '${to}' where identifier in (select identifier from public.image where ${where})`,
        ),
      );
    await rename('__proto__', "identifier::text < '4'");
    await rename('constructor', "identifier::text >= '4' and identifier::text < '8'");
    expect((await run('refresh', 'local', 'image')).status).toBe(0);
    await holdBeforeGate('refresh', 'local', 'image');
    expect((await run('refresh', 'local', 'image')).status).toBe(0);
    await rename('toString', "source = '__proto__'");
    expect(await refuses('refresh')).toEqual(['documents lost per source']);
  });
});
