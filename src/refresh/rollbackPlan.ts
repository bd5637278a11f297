import { rollbackId } from '../config/definitions.js';
import type { RefreshDefinition } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { listGenerations, type Generation } from '../state/generations.js';
import { findObstacle } from '../state/leases.js';
import type { Services } from './context.js';
import type { Rollback } from './rollbackTables.js';
import { addRun, findActive } from './startRun.js';
import { environmentBusy } from './steps/waitForLease.js';

/** Looks; changes nothing. Throws NO_PREVIOUS_GENERATION, and ENVIRONMENT_BUSY while a run holds the environment. */
export async function planRollback(
  { state }: Pick<Services, 'state'>,
  { environment, media }: RefreshDefinition,
): Promise<Rollback> {
  const request = { id: '', environment: environment.name, media: media.name, allowConcurrent: false };
  const holder = await findObstacle(state.pool, request);
  if (holder !== null) throw environmentBusy(environment.name, holder);
  const generations = await listGenerations(state, environment.name, media.name);
  const from = generations.find((one) => one.state === 'live');
  const to = generations.find((one) => one.state === 'previous');
  if (from !== undefined && to !== undefined) return { from, to };
  const reason =
    from === undefined
      ? 'nothing that freshet made is live'
      : `what was live before run ${from.runId} is not there any more, or was not made by freshet`;
  throw new FreshetError(
    'NO_PREVIOUS_GENERATION',
    `${environment.name} ${media.name} cannot be rolled back: ${reason}.`,
    { environment: environment.name },
  );
}

/**
 * Adds a rollback to the queue; a paused definition can be rolled back. What is planned is done or refused, whatever has become live meanwhile.
 * @returns the run's id.
 */
export async function startRollback(
  services: Services,
  definition: RefreshDefinition,
  { from, to }: Rollback,
): Promise<string> {
  const { alias } = definition.media.index;
  const originSuffix = suffixOf(to.mainIndex, alias);
  const active = await findActive(services, definition.environment.name, rollbackId(definition));
  if (active !== null) throw active;
  return addRun(services, definition, 'rollback', {
    indexSuffix: originSuffix,
    skipCopyData: sharesTables(from, to),
    allowConcurrent: false,
    recordLimit: null,
    originSuffix,
    destinationSuffix: suffixOf(to.filteredIndex, alias).replace(/-filtered$/, ''),
    rollback: { from: from.id, to: to.id },
  });
}

/** Whether two generations differ in their indexes alone. */
export function sharesTables(one: Generation, other: Generation): boolean {
  const oids = ({ tables }: Generation): string => JSON.stringify(Object.entries(tables).sort());
  return oids(one) === oids(other);
}

/** Of an index that freshet named. */
function suffixOf(index: string, alias: string): string {
  if (index.startsWith(`${alias}-`)) return index.slice(alias.length + 1);
  throw new FreshetError(
    'PREVIOUS_DIFFERS',
    `The previous index ${index} was made for another alias than ${alias}.`,
    { index },
  );
}
