import { expect } from 'vitest';
import type { LocalEnvironment } from '../../setup/localEnvironment.js';
import { readRuns, type RunRow } from './runState.js';

const gateOf = (gate: Readonly<Record<string, unknown>>) => ({ environments: { local: { gate } } });

/** A gate that nothing passes that lost a document. */
export const strictGate = gateOf({ sourceLossShareMax: 0, totalLossShareMax: 1 });
/** The gate with the limit that an operator has corrected. */
export const lenientGate = gateOf({ sourceLossShareMax: 1, totalLossShareMax: 1 });

/** An index that is live, of another system, with one document whose source the catalog does not have. */
export async function addOldIndex(local: LocalEnvironment): Promise<void> {
  const index = `${local.aliases.image}-old`;
  await local.search(index, {
    method: 'PUT',
    body: {
      settings: { number_of_replicas: 0 },
      mappings: { properties: { source: { type: 'keyword' } } },
      aliases: { [local.aliases.image]: {} },
    },
  });
  await local.search(`${index}/_doc/1?refresh=true`, { method: 'PUT', body: { source: 'vanished' } });
}

/** A run that is finished but for the gate, which refuses it. Its suffix is `retried`. */
export async function refuseRun(
  local: LocalEnvironment,
  config: Readonly<Record<string, unknown>> = {},
): Promise<RunRow> {
  await addOldIndex(local);
  await local.writeConfig({ ...config, ...strictGate });
  const outcome = await local.run(['refresh', 'local', 'image', '--index-suffix', 'retried']);
  expect(outcome.status, outcome.stderr).toBe(2);
  const run = (await readRuns(local)).at(-1);
  if (run === undefined) throw new Error('no run');
  expect(run).toMatchObject({ state: 'refused', error: { code: 'GATE_REFUSED', phase: 'verify' } });
  expect(outcome.stderr).toContain(`freshet retry ${run.id}`);
  return run;
}
