import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { LocalEnvironment } from '../setup/localEnvironment.js';
import { uncovered, unknown } from './matrix.js';
import { describeRound, Lanes, repeatCommand, shortMatrix } from './rounds.js';

/** The seed of the short form; `npm run test:crash -- --seeds 25` takes others. */
const seed = 1;

describe('killed at a failpoint', () => {
  let lanes: Lanes;
  beforeAll(() => {
    lanes = new Lanes(inject('parts'), seed);
  });
  afterAll(() => lanes.drop());

  it('every failpoint has its place in the matrix', () => {
    expect({ uncovered, unknown }).toEqual({ uncovered: [], unknown: [] });
  });

  it('a name that is no failpoint is refused when a command starts', async () => {
    const local = await LocalEnvironment.create(inject('parts'), { tables: false });
    const outcome = await local.run(['config'], { FRESHET_FAILPOINT: 'swap.lockd' });
    expect(outcome.status).toBe(64);
    expect(outcome.stderr).toContain('"swap.lockd" is no failpoint');
    await local.drop();
  });

  describe.concurrent('the run goes on, and all is as if nothing had happened:', () => {
    it.each(
      shortMatrix().map((cells) => ({ plan: { seed, cells }, called: describeRound({ seed, cells }) })),
    )('$called', async ({ plan }) => {
      const { problems } = await lanes.run(plan);
      expect(problems, `repeat: ${repeatCommand(plan)}`).toEqual([]);
    });
  });
});
