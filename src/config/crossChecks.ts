import { candidateAlias } from './candidateAlias.js';
import { parseQualifiedName } from '../postgres/identifiers.js';
import { didYouMean } from './nearMisses.js';
import type { Problem } from './problems.js';
import type { Config, EnvironmentConfig, MediaConfig } from './types.js';

/** The addresses behind an environment's references; null = not set, embedded or unreadable. */
export interface EnvironmentAddresses {
  readonly environment: string;
  readonly catalog: string | null;
  readonly api: string | null;
  readonly nodes: readonly string[];
}

function mediaOf(config: Config, environment: EnvironmentConfig): MediaConfig[] {
  return Object.keys(environment.media).flatMap((name) => config.media[name] ?? []);
}

function tablesOf(media: MediaConfig): string[] {
  return [media.main, ...media.additional].map(({ downstream }) => {
    const { schema, name } = parseQualifiedName(downstream);
    return `${schema}.${name}`;
  });
}

/** Public aliases and those of held candidates. */
function aliasesOf({ index }: MediaConfig): string[] {
  const publicAliases = [index.alias, index.filteredAlias];
  return [...publicAliases, ...publicAliases.map(candidateAlias)];
}

/** Each value that `owners` name more than once, with all who name it. */
function findShared<T>(owners: readonly T[], valuesOf: (owner: T) => readonly string[]): [string, T[]][] {
  const byValue = new Map<string, T[]>();
  for (const owner of owners) {
    for (const value of valuesOf(owner)) byValue.set(value, [...(byValue.get(value) ?? []), owner]);
  }
  return [...byValue].filter(([, sharing]) => sharing.length > 1);
}

/** Media types that an environment names must exist; what exists must be used. */
function findUnknownMedia(config: Config): Problem[] {
  const known = Object.keys(config.media);
  const environments = Object.values(config.environments);
  const unknown = environments.flatMap((environment) =>
    Object.keys(environment.media)
      .filter((name) => !known.includes(name))
      .map((name) => ({
        path: `environments.${environment.name}.media.${name}`,
        reason: `there is no media type of that name under \`media\`.${didYouMean(name, known)}`,
      })),
  );
  const used = new Set(environments.flatMap(({ media }) => Object.keys(media)));
  const unused = known
    .filter((name) => !used.has(name))
    .map((name) => ({
      path: `media.${name}`,
      reason: `no environment refreshes it; add \`${name}: {}\` to the \`media\` of one.`,
    }));
  return [...unknown, ...unused];
}

/** Within one configuration: a table or alias that two media types would both replace. */
function findSharedByMedia(config: Config): Problem[] {
  const media = Object.values(config.media);
  const named = (sharing: readonly MediaConfig[]) => sharing.map(({ name }) => name).join(', ');
  const tables = findShared(media, tablesOf).map(([table, sharing]) => ({
    path: 'media',
    reason: `the downstream table ${table} is named more than once (${named(sharing)}).`,
  }));
  const aliases = findShared(media, aliasesOf).map(([alias, sharing]) => ({
    path: 'media',
    reason: `the alias ${alias} is named more than once (${named(sharing)}).`,
  }));
  return [...tables, ...aliases];
}

function findUnnamed(config: Config): Problem[] {
  return [
    ...(Object.keys(config.environments).length === 0
      ? [{ path: 'environments', reason: 'must name at least one environment.' }]
      : []),
    ...(Object.keys(config.media).length === 0
      ? [{ path: 'media', reason: 'must name at least one media type.' }]
      : []),
  ];
}

/** Checks that need no URL. */
export function findContradictions(config: Config): Problem[] {
  return [...findUnnamed(config), ...findUnknownMedia(config), ...findSharedByMedia(config)];
}

function findSharedBetween(
  config: Config,
  addresses: readonly EnvironmentAddresses[],
  valuesOf: (one: EnvironmentAddresses, media: readonly MediaConfig[]) => string[],
  describe: (value: string) => string,
): Problem[] {
  const used = (one: EnvironmentAddresses) => {
    const environment = config.environments[one.environment];
    return environment === undefined ? [] : mediaOf(config, environment);
  };
  return findShared(addresses, (one) => [...new Set(valuesOf(one, used(one)))]).map(([value, sharing]) => ({
    path: 'environments',
    reason: `${sharing.map(({ environment }) => environment).join(' and ')} both name ${describe(value)}; they would replace each other's.`,
  }));
}

/** Checks of where the environments point: two must not replace the same table or alias, and none may read what it replaces. */
export function findCollisions(config: Config, addresses: readonly EnvironmentAddresses[]): Problem[] {
  const sameDatabase = addresses
    .filter(({ catalog, api }) => catalog !== null && catalog === api)
    .map(({ environment, api }) => ({
      path: `environments.${environment}.apiUrl`,
      reason: `names the same database (${api}) as catalogUrl: source and target must differ.`,
    }));
  const tables = findSharedBetween(
    config,
    addresses,
    ({ api }, media) => (api === null ? [] : media.flatMap(tablesOf).map((table) => `${table} of ${api}`)),
    (value) => `the table ${value}`,
  );
  const aliases = findSharedBetween(
    config,
    addresses,
    ({ nodes }, media) =>
      nodes.flatMap((node) => media.flatMap(aliasesOf).map((alias) => `${alias} on ${node}`)),
    (value) => `the alias ${value}`,
  );
  return [...sameDatabase, ...tables, ...aliases];
}
