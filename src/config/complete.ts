import { join, resolve } from 'node:path';
import type { Problem } from './problems.js';
import type { ParsedConfig } from './schema.js';
import type {
  Config,
  EnvironmentConfig,
  EnvironmentMedia,
  Hook,
  MediaConfig,
  PromotionSettings,
  SecretReference,
} from './types.js';

/** Environment variables as `process.env` has them. */
export type Variables = Readonly<Record<string, string | undefined>>;

export interface CompletionContext {
  readonly env: Variables;
  /** Absolute path of the file that was read; null = the built-in preset. */
  readonly file: string | null;
  /** Relative paths are relative to this folder. */
  readonly folder: string;
}

type Parsed<Name extends 'environments' | 'media'> = ParsedConfig[Name][string];

/** The environment that may use embedded parts. */
const localEnvironment = 'local';
/** Unset, each of these means "use the embedded part" in the environment `local`. */
const embeddedVariables = [
  'FRESHET_CATALOG_URL',
  'FRESHET_API_URL',
  'FRESHET_STATE_URL',
  'FRESHET_SEARCH_URL',
  'FRESHET_SENSITIVE_TERMS',
];

/** The variable of a URL by default: `FRESHET_API_URL` for `local`, `FRESHET_STAGING_API_URL` for `staging`. */
function variableOf(environment: string, part: 'API' | 'SEARCH'): string {
  return environment === localEnvironment
    ? `FRESHET_${part}_URL`
    : `FRESHET_${environment.toUpperCase()}_${part}_URL`;
}

/** Whether `reference` names one of our variables that is not set. An unset variable of the user's own is an error instead. */
function isUnset(reference: SecretReference, env: Variables): boolean {
  return (
    typeof reference !== 'string' &&
    'env' in reference &&
    embeddedVariables.includes(reference.env) &&
    (env[reference.env] ?? '') === ''
  );
}

function absolute(reference: SecretReference, folder: string): SecretReference {
  const isFile = typeof reference !== 'string' && 'file' in reference;
  return isFile ? { file: resolve(folder, reference.file) } : reference;
}

function completeReference(
  reference: SecretReference,
  mayBeEmbedded: boolean,
  { env, folder }: CompletionContext,
): SecretReference | null {
  return mayBeEmbedded && isUnset(reference, env) ? null : absolute(reference, folder);
}

function completeSearch(name: string, parsed: Parsed<'environments'>['search'], context: CompletionContext) {
  const { urls = [{ env: variableOf(name, 'SEARCH') }], ...settings } = parsed;
  const completed = urls.map((url) => completeReference(url, name === localEnvironment, context));
  return { ...settings, urls: completed.includes(null) ? null : (completed as SecretReference[]) };
}

/** A list given as a path lies beside the configuration, one given as a URL anywhere. */
function completeTerms(
  name: string,
  parsed: Parsed<'environments'>['sensitiveTerms'],
  context: CompletionContext,
): EnvironmentConfig['sensitiveTerms'] {
  if (parsed === null) return null;
  const from = completeReference(parsed.from, name === localEnvironment, context);
  if (from === null) return null;
  const isPath = typeof from === 'string' && !/^https?:/i.test(from);
  return { from: isPath ? resolve(context.folder, from) : from, allowEmpty: parsed.allowEmpty };
}

function completeMediaSettings(
  parsed: Parsed<'environments'>['media'],
  mediaNames: readonly string[],
): Record<string, EnvironmentMedia> {
  const defaults = { schedule: null, shards: 1 };
  const given = parsed ?? Object.fromEntries(mediaNames.map((name) => [name, defaults]));
  return Object.fromEntries(
    Object.entries(given).map(([name, settings]) => [name, { recordLimit: undefined, ...settings }]),
  );
}

/** Files, and programs that are named by a path, lie where they are relative to the configuration. */
function completePromotion(
  { before, after, ...plain }: Parsed<'environments'>['promotion'],
  { folder }: CompletionContext,
): PromotionSettings {
  const complete = (hook: Hook): Hook => {
    const { command, url, timeoutSeconds } = hook;
    if (command === undefined) {
      return { url: 'file' in url ? { file: resolve(folder, url.file) } : url, timeoutSeconds };
    }
    const [program, ...words] = command;
    return {
      command: [program.includes('/') ? resolve(folder, program) : program, ...words],
      timeoutSeconds,
    };
  };
  return { ...plain, before: before.map(complete), after: after.map(complete) };
}

function completeEnvironment(
  name: string,
  parsed: Parsed<'environments'>,
  mediaNames: readonly string[],
  context: CompletionContext,
): EnvironmentConfig {
  const isLocal = name === localEnvironment;
  const reference = (given: SecretReference | undefined, variable: string) =>
    completeReference(given ?? { env: variable }, isLocal, context);
  return {
    ...parsed,
    name,
    catalogUrl: reference(parsed.catalogUrl, 'FRESHET_CATALOG_URL'),
    apiUrl: reference(parsed.apiUrl, variableOf(name, 'API')),
    search: completeSearch(name, parsed.search, context),
    sensitiveTerms: completeTerms(name, parsed.sensitiveTerms, context),
    promotion: completePromotion(parsed.promotion, context),
    media: completeMediaSettings(parsed.media, mediaNames),
  };
}

function completeMedia(name: string, parsed: Parsed<'media'>): MediaConfig {
  return { ...parsed, name };
}

/** Adds what depends on names and environment variables. `hostEnvironment` must have been checked by `hostProblems`. */
export function completeConfig(parsed: ParsedConfig, context: CompletionContext): Config {
  const { env, folder, file } = context;
  const mediaNames = Object.keys(parsed.media);
  const host = env['FRESHET_HOST_ENVIRONMENT'] || parsed.hostEnvironment || 'local';
  return {
    hostEnvironment: host === 'production' ? 'production' : 'local',
    stateUrl: completeReference(parsed.stateUrl ?? { env: 'FRESHET_STATE_URL' }, true, context),
    embeddedFolder: resolve(folder, parsed.embeddedFolder ?? join(folder, '.freshet')),
    environments: Object.fromEntries(
      Object.entries(parsed.environments).map(([name, one]) => [
        name,
        completeEnvironment(name, one, mediaNames, context),
      ]),
    ),
    media: Object.fromEntries(
      Object.entries(parsed.media).map(([name, one]) => [name, completeMedia(name, one)]),
    ),
    file,
  };
}

/** What is wrong with FRESHET_HOST_ENVIRONMENT. */
export function findHostProblems(env: Variables): Problem[] {
  const host = env['FRESHET_HOST_ENVIRONMENT'] || 'local';
  return ['local', 'production'].includes(host)
    ? []
    : [{ path: 'FRESHET_HOST_ENVIRONMENT', reason: 'must be `local` or `production`.' }];
}

/** Freezes plain objects and lists all the way down. */
export function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freezeDeep);
  }
  return value;
}
