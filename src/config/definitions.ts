import { FreshetError } from '../errors.js';
import { recordLimitLocal } from '../limits.js';
import { didYouMean } from './nearMisses.js';
import type { Config, RefreshDefinition } from './types.js';

/** Every definition of the configuration: each environment with each of its media types. */
export function definitions(config: Config): RefreshDefinition[] {
  return Object.values(config.environments).flatMap((environment) =>
    Object.entries(environment.media).flatMap(([name, settings]) => {
      const media = config.media[name];
      return media === undefined
        ? []
        : [{ id: `${environment.name}_${name}_data_refresh`, environment, media, settings }];
    }),
  );
}

/** The id of the flow that rebuilds the filtered index of a definition alone. */
export function filteredIndexId({ environment, media }: RefreshDefinition): string {
  return `${environment.name}_create_filtered_${media.name}_index`;
}

/** The id of the flow that puts a definition's previous generation back. */
export function rollbackId({ environment, media }: RefreshDefinition): string {
  return `${environment.name}_rollback_${media.name}`;
}

/** The record limit that holds for a definition: its own, else by host environment. Null = all records. */
export function recordLimitOf(config: Config, { settings }: RefreshDefinition): number | null {
  if (settings.recordLimit !== undefined) return settings.recordLimit;
  return config.hostEnvironment === 'production' ? null : recordLimitLocal;
}

/**
 * The definition that `words` name: `local_image_data_refresh`, or `local image`.
 * Throws DEFINITION_UNKNOWN with near misses.
 */
export function findDefinition(config: Config, words: readonly string[]): RefreshDefinition {
  return find(config, words, ({ id }) => id);
}

/** As `findDefinition`, for `local_create_filtered_image_index`, or `local image`. */
export function findFilteredIndexDefinition(config: Config, words: readonly string[]): RefreshDefinition {
  return find(config, words, filteredIndexId);
}

/** As `findDefinition`; `local_rollback_image` is known as well. */
export function findRollbackDefinition(config: Config, words: readonly string[]): RefreshDefinition {
  const named = definitions(config).find((definition) => rollbackId(definition) === wantedOf(words));
  return named ?? findDefinition(config, words);
}

/** The refresh or filtered-index flow that `words` name; `local image` is the refresh. Throws DEFINITION_UNKNOWN with near misses. */
export function findAnyDefinition(
  config: Config,
  words: readonly string[],
): { readonly id: string; readonly environment: string } {
  const all = definitions(config);
  const wanted = wantedOf(words);
  const flows = [
    ...all.map((definition) => ({ definition, id: definition.id })),
    ...all.map((definition) => ({ definition, id: filteredIndexId(definition) })),
  ];
  const found = flows.find(({ id, definition }) => [id, shortOf(definition)].includes(wanted));
  if (found === undefined)
    throw unknown(
      wanted,
      flows.map(({ id }) => id),
      all,
    );
  return { id: found.id, environment: found.definition.environment.name };
}

function find(
  config: Config,
  words: readonly string[],
  idOf: (definition: RefreshDefinition) => string,
): RefreshDefinition {
  const all = definitions(config);
  const wanted = wantedOf(words);
  const found = all.find((definition) => [idOf(definition), shortOf(definition)].includes(wanted));
  if (found === undefined) throw unknown(wanted, all.map(idOf), all);
  return found;
}

function wantedOf(words: readonly string[]): string {
  return words.join(' ').trim().replace(/\s+/g, ' ');
}

function shortOf({ environment, media }: RefreshDefinition): string {
  return `${environment.name} ${media.name}`;
}

function unknown(wanted: string, ids: readonly string[], all: readonly RefreshDefinition[]): FreshetError {
  const hint = didYouMean(wanted, [...ids, ...all.map(shortOf)]);
  return new FreshetError(
    'DEFINITION_UNKNOWN',
    `There is no definition "${wanted}".${hint} There are: ${ids.join(', ')}.`,
    { definition: wanted, definitions: ids },
  );
}
