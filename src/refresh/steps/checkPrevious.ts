import { FreshetError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { describeCluster } from '../../search/client.js';
import { readAlias, readIndex } from '../../search/index.js';
import type { RunContext } from '../context.js';
import { assertHooksUsable } from '../hooks.js';
import type { Step } from '../phase.js';
import { recoverMedia } from '../recover.js';
import { planBack, readRollback, type Rollback } from '../rollbackTables.js';

/** What would make the rollback fail is found now; what is live is not touched before all of it was looked at. */
export const checkPrevious: Step<{ engine: string; version: string }> = async (context) => {
  const cluster = await describeCluster(context.search);
  const { run } = context;
  // What is half live must become live.
  if (run.promotionBeganAt !== null) return cluster;
  await recoverMedia(context, context.leadership, context.definition);
  const { from, to } = await readRollback(context);
  if (from.state !== 'live' || to.state !== 'previous') {
    throw new FreshetError(
      'NO_PREVIOUS_GENERATION',
      `Run ${from.runId} is ${from.state} and run ${to.runId} is ${to.state} by now, not live and previous.`,
    );
  }
  await assertHooksUsable(context);
  await context.withApi((session) => planBack(session, context, { from, to }));
  await assertIndexes(context, { from, to });
  failpoint('preflight.looked');
  return cluster;
};

/** Somebody who has moved an alias to the previous index by hand has done nothing that would be lost. */
async function assertIndexes({ search, definition, run }: RunContext, { from, to }: Rollback): Promise<void> {
  const { alias, filteredAlias } = definition.media.index;
  const pairs = [
    { alias, is: from.mainIndex, wanted: to.mainIndex },
    { alias: filteredAlias, is: from.filteredIndex, wanted: to.filteredIndex },
  ];
  for (const pair of pairs) {
    const index = await readIndex(search, pair.wanted);
    const served = await readAlias(search, pair.alias);
    const isServed = served.length === 1 && [pair.is, pair.wanted].includes(served[0] ?? '');
    if (index?.mark?.media === run.media && isServed) continue;
    const reason =
      index?.mark?.media === run.media
        ? `the alias ${pair.alias} points at ${served.join(', ') || 'no index'} instead of ${pair.is}`
        : `the previous index ${pair.wanted} is gone, or another index has its name`;
    throw new FreshetError('PREVIOUS_DIFFERS', `${run.media} cannot be rolled back: ${reason}.`, {
      index: pair.wanted,
    });
  }
}
