import { describe, expect, it } from 'vitest';
import { runLanes } from '../../../src/search/lanes.js';

describe('work in lanes', () => {
  it('ends with the first failure, after the other lanes were told and have ended', async () => {
    const failure = new Error('first');
    let ended = 0;
    const lanes = runLanes(3, undefined, async (signal) => {
      if (ended === 0) {
        ended += 1;
        throw failure;
      }
      await new Promise((done) => (signal.aborted ? done(null) : signal.addEventListener('abort', done)));
      ended += 1;
      signal.throwIfAborted();
    });
    await expect(lanes).rejects.toBe(failure);
    expect(ended).toBe(3);
  });

  it("throws the caller's reason when the caller gives up", async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const lanes = runLanes(2, controller.signal, async (signal) => {
      await new Promise((done) => signal.addEventListener('abort', done));
      signal.throwIfAborted();
    });
    controller.abort(reason);
    await expect(lanes).rejects.toBe(reason);
  });
});
