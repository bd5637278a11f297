import { environmentOf } from '../config/resolve.js';
import { listPresentGenerations } from '../state/generations.js';
import { listKnownRuns } from '../state/knownRuns.js';
import type { Services } from './context.js';
import { withSweepLock } from './sweep/lock.js';
import type { SweepRules } from './sweep/rules.js';
import { Sweeper, type Sweep, type SweepOptions } from './sweep/sweeper.js';

export type { Leftover } from './sweep/rules.js';
export type { Sweep, SweepPoint } from './sweep/sweeper.js';

/**
 * Removes what runs left that are known to be over, found by their marks: never what is live, previous, held or without a mark of ours. A
 * server that is down is a failure of its part; the others are swept. Nobody can begin another attempt of a run of the environment meanwhile.
 */
export async function sweep(services: Services, options: SweepOptions): Promise<Sweep> {
  const urls = await services.resolve(options.environment);
  const work = async (assertLocked: () => Promise<void>): Promise<Sweep> => {
    const rules = await readRules(services, options);
    return new Sweeper({ ...services, urls, options, rules, assertLocked }).run();
  };
  return options.dryRun
    ? work(() => Promise.reject(new Error('a dry run removes nothing')))
    : withSweepLock(urls.stateUrl, options.environment, work);
}

async function readRules({ config, state }: Services, options: SweepOptions): Promise<SweepRules> {
  const { environment, media, ending, keepPrevious, keepFailedMs } = options;
  const generations = await listPresentGenerations(state.pool);
  return {
    environment,
    media: media === null ? Object.keys(environmentOf(config, environment).media) : [media],
    generations: generations.filter((one) => one.environment === environment),
    runs: await listKnownRuns(state.pool),
    keepPrevious,
    keepFailedMs,
    ending,
    now: new Date(),
  };
}
