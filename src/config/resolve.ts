import type { Variables } from './complete.js';
import { didYouMean } from './nearMisses.js';
import { configurationError, type Problem } from './problems.js';
import { resolveSecret } from './secrets.js';
import type { Config, EnvironmentConfig, SecretReference } from './types.js';
import { FreshetError } from '../errors.js';

/** Where the parts of one environment are. Holds secrets: never print it. */
export interface ResolvedEnvironment {
  readonly name: string;
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly stateUrl: string;
  readonly searchUrls: readonly string[];
}

/** URLs of the embedded parts that take the place of what is not configured. */
export interface EmbeddedUrls {
  readonly catalogUrl: string;
  readonly apiUrl: string;
  readonly stateUrl: string;
  readonly searchUrl: string;
}

/** The environment of that name. Throws CONFIGURATION_INVALID, with near misses, when there is none. */
export function environmentOf(config: Config, name: string): EnvironmentConfig {
  const environment = Object.hasOwn(config.environments, name) ? config.environments[name] : undefined;
  if (environment === undefined) {
    const names = Object.keys(config.environments);
    throw new FreshetError(
      'CONFIGURATION_INVALID',
      `There is no environment "${name}".${didYouMean(name, names)} There are: ${names.join(', ')}.`,
      { file: config.file, environment: name },
    );
  }
  return environment;
}

/** Which parts of the environment have no URL, so that embedded ones take their place (`local` only). */
export function listEmbeddedParts(
  config: Config,
  environmentName: string,
): ('catalog' | 'api' | 'state' | 'search')[] {
  const environment = environmentOf(config, environmentName);
  return [
    ...(environment.catalogUrl === null ? (['catalog'] as const) : []),
    ...(environment.apiUrl === null ? (['api'] as const) : []),
    ...(config.stateUrl === null ? (['state'] as const) : []),
    ...(environment.search.urls === null ? (['search'] as const) : []),
  ];
}

/**
 * The URLs of one environment, from its references; a part that has none takes the embedded one (environment `local` only).
 * Throws CONFIGURATION_INVALID that names every variable or file that is missing.
 */
export async function resolveEnvironment(
  config: Config,
  environmentName: string,
  env: Variables = process.env,
  embedded: EmbeddedUrls | null = null,
): Promise<ResolvedEnvironment> {
  const environment = environmentOf(config, environmentName);
  const allowed = environmentName === 'local' ? embedded : null;
  const at = `environments.${environmentName}`;
  const problems: Problem[] = [];
  const resolve = async (
    reference: SecretReference | null,
    path: string,
    variable: string,
    fallback?: string,
  ) => {
    if (reference === null && fallback !== undefined) return fallback;
    return resolveSecret(reference ?? { env: variable }, env, path).catch((error: unknown) => {
      problems.push(...problemsIn(error));
      return '';
    });
  };
  const { urls } = environment.search;
  const resolved = {
    name: environmentName,
    catalogUrl: await resolve(
      environment.catalogUrl,
      `${at}.catalogUrl`,
      'FRESHET_CATALOG_URL',
      allowed?.catalogUrl,
    ),
    apiUrl: await resolve(environment.apiUrl, `${at}.apiUrl`, 'FRESHET_API_URL', allowed?.apiUrl),
    stateUrl: await resolve(config.stateUrl, 'stateUrl', 'FRESHET_STATE_URL', allowed?.stateUrl),
    searchUrls: await Promise.all(
      (urls ?? [null]).map((url, index) =>
        resolve(url, `${at}.search.urls.${index}`, 'FRESHET_SEARCH_URL', allowed?.searchUrl),
      ),
    ),
  };
  if (problems.length > 0) {
    throw configurationError(config.file, problems, {
      title: `The environment ${environmentName} cannot be used`,
    });
  }
  return resolved;
}

function problemsIn(error: unknown): Problem[] {
  if (!(error instanceof FreshetError)) throw error;
  const { paths, reasons } = error.details;
  if (!Array.isArray(paths) || !Array.isArray(reasons)) throw error;
  return paths.map((path, index) => ({ path: String(path), reason: String(reasons[index]) }));
}
