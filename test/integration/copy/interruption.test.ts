import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TransformRow } from '../../../src/config/types.js';
import { openSession } from '../../../src/postgres/session.js';
import { CopyFixture, identifierOf, mediaOf } from './fixture.js';

const entry = fileURLToPath(new URL('copyEntry.ts', import.meta.url));
let fixture: CopyFixture;
beforeEach(async () => {
  fixture = await CopyFixture.create();
});
afterEach(() => fixture.drop());

interface Ended {
  readonly signal: string | null;
  readonly output: string;
}

/** Copies in another process; `failpoint` kills it there. */
async function copyElsewhere(media: string, runId: string, failpoint = ''): Promise<Ended> {
  const task = { catalogUrl: fixture.catalog.url, apiUrl: fixture.api.url, runId, media };
  const child = spawn(process.execPath, ['--import', 'jiti/register', entry], {
    env: { ...process.env, FRESHET_FAILPOINT: failpoint, FRESHET_TEST_COPY: JSON.stringify(task) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { signal, output };
}

/** A killed process' sessions end when the servers notice. */
const expectNothingLeft = (runId: string): Promise<void> =>
  vi.waitFor(async () => expect(await fixture.leftovers(runId)).toEqual([]), { timeout: 20_000 });

describe('a copy that does not end', () => {
  test('interrupted by its signal it leaves nothing: no table, mark, lock, session', async () => {
    await fixture.addManyImages(20_000);
    const controller = new AbortController();
    const media = mediaOf('image');
    const failure = await fixture
      .copy(media, {
        runId: 'r',
        signal: controller.signal,
        onProgress: ({ rowsCopied }) => rowsCopied > 0 && controller.abort(new Error('enough')),
      })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'COPY_INTERRUPTED', cause: { message: 'enough' } });
    await expectNothingLeft('r');
    expect((await fixture.copyMain(media, { runId: 'r' })).rowsCopied).toBe(20_000);
  });

  test('interrupted before it begins it does nothing', async () => {
    const failure = fixture.copy(mediaOf('image'), { signal: AbortSignal.abort() });
    await expect(failure).rejects.toMatchObject({ code: 'COPY_INTERRUPTED' });
  });

  test.each(['copy.beforeCreate', 'copy.middle@3', 'copy.beforeCommit'])(
    'D21: killed at %s it leaves nothing, and started again it copies everything once',
    async (failpoint) => {
      await fixture.addManyImages(5000);
      await fixture.addRecords('image', [{ identifier: identifierOf(1) }]);
      const killed = await copyElsewhere('image', 'r', failpoint);
      expect(killed.signal).toBe('SIGKILL');
      await expectNothingLeft('r');
      const again = await fixture.copyMain(mediaOf('image'), { runId: 'r' });
      expect(again).toMatchObject({ rowsCopied: 5001, idsNew: 5001, nextId: 5002n });
      expect(await fixture.inApi('select count(*)::int from temp_import_image')).toEqual([{ count: 5001 }]);
    },
  );

  test('D21: killed after the commit it copies again over its own temp table; another run does so when the first is over', async () => {
    await fixture.addManyImages(500);
    expect((await copyElsewhere('image', 'r', 'copy.afterCommit')).signal).toBe('SIGKILL');
    expect(await fixture.inApi('select count(*)::int from temp_import_image')).toEqual([{ count: 500 }]);
    await fixture.copy(mediaOf('image'), { runId: 'r', isRunOver: () => false });
    await expect(
      fixture.copy(mediaOf('image'), { runId: 'other', isRunOver: () => false }),
    ).rejects.toMatchObject({ code: 'LEFTOVER_FOREIGN' });
    await fixture.copy(mediaOf('image'), { runId: 'other', isRunOver: (runId) => runId === 'r' });
    const marks = await fixture.inApi('select run_id, role from freshet.parts');
    expect(marks).toEqual([{ run_id: 'other', role: 'candidate' }]);
  });

  test('an older attempt of the same run that still has sessions is ended first', async () => {
    await fixture.addManyImages(10);
    const frozen = await Promise.all(
      [fixture.catalog.url, fixture.api.url].map((url) =>
        openSession(url, { applicationName: 'freshet copy r', called: 'test' }),
      ),
    );
    for (const session of frozen) await session.query('begin');
    await frozen[1]?.query(`create table public.temp_import_image (half int)`);
    expect((await fixture.copyMain(mediaOf('image'), { runId: 'r' })).rowsCopied).toBe(10);
    for (const session of frozen) await expect(session.query('select 1')).rejects.toThrow();
  });

  test('another run that copies into the same table is waited for no longer than the limit', async () => {
    await fixture.addManyImages(3000);
    let second: Promise<unknown> | null = null;
    const transform = (row: TransformRow): TransformRow => {
      second ??= fixture.copy(mediaOf('image'), { runId: 'second' }).catch((error: unknown) => error);
      return row;
    };
    const first = await fixture.copyMain(mediaOf('image', { transform }), { runId: 'first' });
    expect(first.rowsCopied).toBe(3000);
    await (second as Promise<unknown> | null);
    const [row] = await fixture.inApi('select count(*)::int as count from temp_import_image');
    expect(row).toEqual({ count: 3000 });
  });

  test('a session that the server ends is a passing fault, and everything is undone', async () => {
    await fixture.addManyImages(20_000);
    let ending: Promise<unknown> | null = null;
    const end = (): Promise<unknown> =>
      fixture.inCatalog(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'freshet copy r' and datname = current_database()`,
      );
    const transform = (row: TransformRow): TransformRow => {
      ending ??= end();
      return row;
    };
    const media = mediaOf('image', { transform });
    await fixture.inCatalog(`update image set meta_data = jsonb_build_object('text', repeat(md5(url), 100))`);
    await expect(fixture.copy(media, { runId: 'r' })).rejects.toMatchObject({
      code: 'SESSION_LOST',
      details: { database: 'catalog' },
    });
    await (ending as Promise<unknown> | null);
    await expectNothingLeft('r');
  });

  test('D25: memory does not grow with the rows', async () => {
    const peaks: number[] = [];
    for (const rows of [10_000, 60_000]) {
      await fixture.inCatalog('truncate image');
      await fixture.addManyImages(rows, '[{"name": "a:b"}, {"name": "cat", "accuracy": 0.95}]');
      const { output } = await copyElsewhere('image', `r${rows}`);
      const { rowsCopied, maxRssKb } = JSON.parse(output) as { rowsCopied: number; maxRssKb: number };
      expect(rowsCopied).toBe(rows);
      peaks.push(maxRssKb);
    }
    const [small = 0, large = Infinity] = peaks;
    // 50,000 rows are some 15 MB of text and would be 50 MB of objects; what is remembered of sent rows is limited to 16 MB.
    expect(large - small).toBeLessThan(40_000);
  });
});
