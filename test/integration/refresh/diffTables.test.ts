import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fillCatalog } from '../../../src/sample/index.js';
import { LocalEnvironment } from '../../setup/localEnvironment.js';

interface Comparison {
  readonly table: string;
  readonly with: 'before' | 'candidate';
  readonly runId: string;
  readonly state: string | null;
  readonly additions: readonly string[];
  readonly differences: readonly string[];
}
interface Told {
  readonly definition: string;
  readonly same: boolean;
  readonly comparisons: readonly Comparison[];
  readonly unknownBefore: readonly string[];
}

/** `freshet diff-tables` through one life of a table: never promoted, promoted, changed by hand, with a candidate beside it. */
describe('D27–D31: diff-tables', () => {
  let local: LocalEnvironment;
  beforeAll(async () => {
    local = await LocalEnvironment.create(inject('parts'));
    await fillCatalog({ catalogUrl: local.catalog.url, media: 'image', records: 120, seed: 3 });
  });
  afterAll(() => local.drop());

  const api = (sql: string) => local.withApi((session) => session.query(`set search_path = public; ${sql}`));
  const compare = async (): Promise<{ status: number | null; told: Told }> => {
    const { status, stdout, stderr } = await local.run(['diff-tables', 'local', 'image', '--json']);
    expect(stderr).toBe('');
    return { status, told: JSON.parse(stdout) as Told };
  };
  const refresh = async (...options: string[]): Promise<void> => {
    const { status, stdout, stderr } = await local.run(['refresh', 'local', 'image', ...options]);
    expect(status, stdout + stderr).toBe(0);
  };

  it('says what differs between what is live, what was live before, and a candidate; by exit status too', async () => {
    expect(await compare()).toMatchObject({
      status: 0,
      told: {
        definition: 'local_image_data_refresh',
        same: true,
        comparisons: [],
        unknownBefore: ['public.image'],
      },
    });

    await refresh();
    const promoted = await compare();
    expect(promoted).toMatchObject({ status: 0, told: { same: true, unknownBefore: [] } });
    expect(promoted.told.comparisons).toMatchObject([
      {
        table: 'public.image',
        with: 'before',
        state: 'succeeded',
        additions: ['standardized_popularity'],
        differences: [],
      },
    ]);

    await api(`create index late on image (title);
      create function f() returns trigger language plpgsql as 'begin return new; end';
      create trigger late before insert on image for each row execute function f()`);
    const changed = await compare();
    expect(changed).toMatchObject({ status: 1, told: { same: false } });
    expect(changed.told.comparisons[0]?.differences).toEqual([
      expect.stringMatching(/^index late .* is new$/),
      'trigger late is new',
    ]);
    const text = await local.run(['diff-tables', 'local', 'image']);
    expect(text.status).toBe(1);
    expect(text.stdout).toContain('differs public.image and what was live before run');
    expect(text.stdout).toContain('  trigger late is new');

    await refresh('--hold');
    await api('drop index late');
    const held = await compare();
    expect(held.status).toBe(1);
    expect(held.told.comparisons).toMatchObject([
      { with: 'before', differences: ['trigger late is new'] },
      {
        with: 'candidate',
        state: 'held',
        additions: [],
        differences: [expect.stringMatching(/^index .*title.* is new$/)],
      },
    ]);
    await api('create index late on image (title)');
    expect((await compare()).told.comparisons[1]).toMatchObject({ with: 'candidate', differences: [] });
  });

  it('of a definition that is not there ends with 64', async () => {
    expect((await local.run(['diff-tables', 'local', 'imag'])).status).toBe(64);
  });
});
