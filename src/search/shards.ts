import { FreshetError } from '../errors.js';

/** What the engine says of the shards that an answer was made of. */
export interface ShardCounts {
  readonly total: number;
  readonly successful: number;
  readonly failed: number;
}

/**
 * An answer of which a shard is missing is a wrong number, never a smaller right one. A shard without a node (a cluster that is restarting) is
 * not even called a failure: `{"total":2,"successful":1,"failed":0}` with the count of the other one (seen on OpenSearch 3.8).
 */
export function assertAllShards({ failed, total, successful }: ShardCounts, what: string): void {
  if (failed === 0 && successful === total) return;
  throw new FreshetError(
    'SEARCH_UNREACHABLE',
    `${total - successful} of ${total} shards did not answer (${what}).`,
    { what },
  );
}
