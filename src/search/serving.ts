import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { greenPollMs } from '../limits.js';
import { callEngine } from './call.js';
import { describeCluster, type SearchClient } from './client.js';
import { differenceError, requireIndex } from './readIndex.js';

export interface ServingSettings {
  /** Null = 1, or 0 where the cluster has one node for documents. */
  readonly replicas: number | null;
  readonly refreshInterval: string;
  /** How long the copies may take until the index is green. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Gives an index its serving settings, waits until all copies are there, and reads the settings back (D39).
 * Throws INDEX_NOT_GREEN, INDEX_SETTINGS_DIFFER.
 */
export async function makeServing(
  client: SearchClient,
  name: string,
  { replicas: configured, refreshInterval, timeoutMs, signal }: ServingSettings,
): Promise<{ replicas: number }> {
  const replicas = configured ?? ((await describeCluster(client)).dataNodes > 1 ? 1 : 0);
  const settings = { number_of_replicas: replicas, refresh_interval: refreshInterval };
  await callEngine(client, {
    method: 'PUT',
    path: [name, '_settings'],
    body: { index: settings },
    what: `giving ${name} its serving settings`,
    repeatable: true,
    signal,
  });
  failpoint('serving.settings');
  await waitForGreen(client, name, timeoutMs, signal);
  const found = (await requireIndex(client, name)).settings.index;
  const differences = Object.entries(settings)
    .filter(([key, value]) => String(found[key]) !== String(value))
    .map(([key, value]) => `index.${key} is ${String(found[key])} instead of ${value}`);
  if (differences.length > 0) throw differenceError(name, differences);
  return { replicas };
}

interface IndexHealth {
  readonly status: string;
  readonly timed_out: boolean;
  readonly unassigned_shards: number;
  readonly initializing_shards: number;
}

async function waitForGreen(
  client: SearchClient,
  name: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const waitMs = Math.max(1, Math.round(Math.min(greenPollMs, deadline - performance.now())));
    const { body } = await callEngine<IndexHealth>(client, {
      method: 'GET',
      path: ['_cluster', 'health', name],
      query: { wait_for_status: 'green', timeout: `${waitMs}ms` },
      what: `waiting until ${name} is green`,
      accept: [408],
      repeatable: true,
      signal,
    });
    if (body.status === 'green' && !body.timed_out) return;
    if (performance.now() >= deadline) throw notGreenError(name, timeoutMs, body);
  }
}

function notGreenError(name: string, timeoutMs: number, health: IndexHealth): FreshetError {
  return new FreshetError(
    'INDEX_NOT_GREEN',
    `The index ${name} is ${health.status} after ${timeoutMs} ms: ${health.unassigned_shards} copies have no node, ${health.initializing_shards} are being made.`,
    { index: name, timeoutMs },
  );
}
