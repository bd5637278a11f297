import type { Variables } from './complete.js';
import { definitions, filteredIndexId, recordLimitOf } from './definitions.js';
import { describeSecret } from './secrets.js';
import type { Config, EnvironmentConfig, Hook, RefreshDefinition, SecretReference } from './types.js';

/** A definition as `freshet config` lists it. */
interface DescribedDefinition {
  readonly id: string;
  readonly filteredIndex: string;
  /** Cron expression in UTC; null = manual runs only. */
  readonly schedule: string | null;
  readonly workers: number;
  readonly shards: number;
  /** Null = all records. */
  readonly recordLimit: number | null;
  readonly tables: readonly string[];
  readonly aliases: readonly string[];
}

function describeUrl(reference: SecretReference | null, env: Variables): string {
  return reference === null ? 'embedded' : describeSecret(reference, env);
}

/** Functions become their names; everything else stays. */
function describeValue(value: unknown): unknown {
  if (typeof value === 'function') return `function ${value.name || '(without a name)'}`;
  if (Array.isArray(value)) return value.map(describeValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, describeValue(inner)]));
}

function describeHook(hook: Hook, env: Variables): unknown {
  return hook.url === undefined ? hook : { ...hook, url: describeSecret(hook.url, env) };
}

function describeEnvironment(environment: EnvironmentConfig, env: Variables): unknown {
  const { catalogUrl, apiUrl, search, sensitiveTerms, promotion, ...plain } = environment;
  return {
    ...plain,
    catalogUrl: describeUrl(catalogUrl, env),
    apiUrl: describeUrl(apiUrl, env),
    search: { ...search, urls: search.urls?.map((url) => describeSecret(url, env)) ?? 'embedded' },
    sensitiveTerms: sensitiveTerms && {
      ...sensitiveTerms,
      from: describeSecret(sensitiveTerms.from, env),
    },
    promotion: {
      windows: promotion.windows,
      lockWindowMinutes: promotion.lockWindowMinutes,
      before: promotion.before.map((hook) => describeHook(hook, env)),
      after: promotion.after.map((hook) => describeHook(hook, env)),
    },
  };
}

/** The definitions as they would run now. */
function describeDefinitions(config: Config): DescribedDefinition[] {
  return definitions(config).map((definition) => describeDefinition(config, definition));
}

function describeDefinition(config: Config, definition: RefreshDefinition): DescribedDefinition {
  const { id, environment, media, settings } = definition;
  return {
    id,
    filteredIndex: filteredIndexId(definition),
    schedule: settings.schedule,
    workers: environment.workers,
    shards: settings.shards,
    recordLimit: recordLimitOf(config, definition),
    tables: [media.main, ...media.additional].map(
      ({ upstream, downstream }) => `${upstream} → ${downstream}`,
    ),
    aliases: [media.index.alias, media.index.filteredAlias],
  };
}

/**
 * The configuration in a form that may be printed: secrets only as where they come from (`env FRESHET_API_URL (set)`),
 * functions as their names.
 */
export function describeConfig(config: Config, env: Variables = process.env): Record<string, unknown> {
  const environments = Object.entries(config.environments).map(([name, environment]) => [
    name,
    describeEnvironment(environment, env),
  ]);
  return {
    file: config.file ?? 'none: the built-in Openverse preset',
    hostEnvironment: config.hostEnvironment,
    stateUrl: describeUrl(config.stateUrl, env),
    embeddedFolder: config.embeddedFolder,
    definitions: describeDefinitions(config),
    environments: describeValue(Object.fromEntries(environments)),
    media: describeValue(config.media),
  };
}
