import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  beginAttempt,
  beginPromotion,
  endRun,
  findRun,
  holdRun,
  insertRun,
  requestCancel,
  setRunState,
  type Run,
} from '../../../src/state/runs.js';
import { openState, type State } from '../../../src/state/state.js';
import type { RunState } from '../../../src/state/words.js';
import { createDatabase, type TestDatabase } from '../../setup/databases.js';

const tries = 100;

/** What decides between two who change one run at once is one statement each in the state database. */
describe('of two changes of one run at once', () => {
  let database: TestDatabase;
  let state: State;
  beforeAll(async () => {
    database = await createDatabase(inject('parts').apiUrl);
    state = await openState(database.url);
  });
  afterAll(async () => {
    await state.close();
    await database.drop();
  });

  const inTransaction = async <T>(
    work: (client: Parameters<typeof insertRun>[0]) => Promise<T>,
  ): Promise<T> => {
    const client = await state.pool.connect();
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } finally {
      client.release();
    }
  };

  const addRun = async (to: RunState): Promise<Run> => {
    const id = randomUUID();
    const run = { id, definition: id, environment: 'local', media: 'image', flow: 'refresh' as const };
    const parameters = {
      indexSuffix: 'a',
      skipCopyData: false,
      allowConcurrent: false,
      recordLimit: null,
      originSuffix: null,
      destinationSuffix: null,
    };
    await inTransaction((client) => insertRun(client, { ...run, parameters }));
    await setRunState(state, id, to);
    return readRun(id);
  };

  const readRun = async (id: string): Promise<Run> => {
    const run = await findRun(state, id);
    if (run === null) throw new Error(`no run ${id}`);
    return run;
  };

  /** Both at once, now the one first, now the other. */
  const race = async <A, B>(
    round: number,
    one: () => Promise<A>,
    other: () => Promise<B>,
  ): Promise<[A, B]> => {
    if (round % 2 === 0) return Promise.all([one(), other()]);
    const [b, a] = await Promise.all([other(), one()]);
    return [a, b];
  };

  it('a cancellation and a promotion: exactly one wins', async () => {
    const wins = { cancelled: 0, promoting: 0 };
    for (let round = 0; round < tries; round += 1) {
      const { id } = await addRun('verifying');
      const [cancelled, promoting] = await race(
        round,
        () => requestCancel(state, id),
        () => beginPromotion(state, id),
      );
      expect(cancelled).not.toBe(promoting);
      const run = await readRun(id);
      expect(run.state).toBe(promoting ? 'promoting' : 'verifying');
      expect(run.cancelRequestedAt !== null).toBe(cancelled);
      expect(run.promotionBeganAt !== null).toBe(promoting);
      wins[cancelled ? 'cancelled' : 'promoting'] += 1;
      // Later ones are of the same mind.
      expect(await requestCancel(state, id)).toBe(cancelled);
      expect(await beginPromotion(state, id)).toBe(promoting);
    }
    expect(wins.cancelled + wins.promoting).toBe(tries);
  });

  it('a cancellation and a hold: the run is never held with a cancellation that nobody looks at', async () => {
    for (let round = 0; round < tries; round += 1) {
      const run = await addRun('verifying');
      const [cancelled, held] = await race(
        round,
        () => requestCancel(state, run.id),
        () => holdRun(state, run, null),
      );
      expect(cancelled).not.toBe(held);
      expect((await readRun(run.id)).state).toBe(held ? 'held' : 'verifying');
    }
  });

  it.each(['failed', 'refused'] as const)(
    'a cancellation and its end as %s: whoever was told that it is cancelled is right',
    async (to) => {
      for (let round = 0; round < tries; round += 1) {
        const run = await addRun('running');
        const [cancelled, ended] = await race(
          round,
          () => requestCancel(state, run.id),
          () => endRun(state, run, to, null),
        );
        expect(cancelled).not.toBe(ended);
        expect((await readRun(run.id)).state).toBe(ended ? to : 'running');
        if (cancelled) expect(await endRun(state, run, 'cancelled', null)).toBe(true);
      }
    },
  );

  it('two retries: one begins an attempt, and what the one before it writes late changes nothing', async () => {
    for (let round = 0; round < tries; round += 1) {
      const first = await addRun('running');
      await endRun(state, first, 'failed', null);
      const retry = (): Promise<number | null> =>
        inTransaction((client) => beginAttempt(client, first, ['failed', 'refused']));
      const attempts = await race(round, retry, retry);
      expect(attempts.toSorted()).toEqual([2, null].toSorted());
      await endRun(state, first, 'failed', null);
      expect(await readRun(first.id)).toMatchObject({ state: 'queued', attempt: 2, finishedAt: null });
    }
  });

  it('a promotion that was begun cannot be cancelled in a later attempt either', async () => {
    const run = await addRun('verifying');
    await beginPromotion(state, run.id);
    await endRun(state, run, 'failed', null);
    await inTransaction((client) => beginAttempt(client, run, ['failed']));
    expect(await requestCancel(state, run.id)).toBe(false);
  });
});
