import { failpoint } from '../../failpoints.js';
import { liveIndexOf } from '../../search/aliases.js';
import { countBySource } from '../../search/counts.js';
import { recordCounts, type CountsBySource } from '../../state/records.js';
import type { RunContext } from '../context.js';
import type { Step } from '../phase.js';

/** Counts the documents of each source that readers find through the alias; none where nothing is live yet. */
export const countLive =
  (moment: 'before' | 'after'): Step<{ counts: readonly [source: string, documents: number][] }> =>
  async (context) => {
    const { media } = context.definition;
    const index = await liveIndexOf(context.search, media.index.alias);
    const counts = index === null ? {} : await countSources(context, index);
    failpoint(`count-${moment}.counted`);
    await recordCounts(context.state, context.run.id, moment, counts);
    // As pairs: the engine refuses or loses keys such as `constructor` in what it stores.
    return { counts: Object.entries(counts) };
  };

/** Documents by source; those without one are counted under an empty name. */
export function countSources({ search, definition }: RunContext, index: string): Promise<CountsBySource> {
  return countBySource(search, index, definition.media.sourceColumn);
}
