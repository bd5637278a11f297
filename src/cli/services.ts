import { loadConfig } from '../config/load.js';
import {
  environmentOf,
  listEmbeddedParts,
  resolveEnvironment,
  type EmbeddedUrls,
} from '../config/resolve.js';
import type { Config } from '../config/types.js';
import { findRunningParts, startParts, type PartsUrls } from '../embedded/parts.js';
import type { Services } from '../refresh/context.js';
import { prepareState } from '../refresh/orchestrator.js';
import { openState } from '../state/state.js';
import { colors } from './colors.js';
import { writeNote } from './output.js';

/** What a command works with: configuration, state, and for `local` the embedded parts where no URLs are configured. */
export interface CommandServices extends Services {
  readonly stateUrl: string;
  /** Embedded parts that are in use; null where everything has a URL. */
  readonly embedded: PartsUrls | null;
  /** Whether this command started the embedded parts, so that they end with it. */
  readonly startedParts: boolean;
  /** From now on what fails is not the runs' failure: this process ends. */
  beginClosing(): void;
  /** Closes connections and stops the parts that this command started. */
  close(): Promise<void>;
}

export interface ServicesOptions {
  readonly configFile: string | undefined;
  readonly environment: string;
  /** Where embedded parts that this command starts keep their data; undefined = the configured folder, null = temporary. */
  readonly embeddedFolder?: string | null;
  /** Environment variables; default: the process' own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether an embedded search engine is started where one is needed. Default true. */
  readonly withSearch?: boolean;
  /** Told what is going on while parts start. */
  readonly report: (line: string) => void;
  /** Lines of the workers. */
  readonly log: (line: string) => void;
}

/** Opens everything. What is not running and has no URL is started, for `local` only. */
export async function openServices(options: ServicesOptions): Promise<CommandServices> {
  const env = options.env ?? process.env;
  const config = await loadConfig({ cwd: process.cwd(), file: options.configFile, env });
  environmentOf(config, options.environment);
  const parts = await findParts(config, options);
  try {
    return await connectServices(config, options, parts, env);
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

interface UsedParts {
  readonly urls: PartsUrls | null;
  readonly started: boolean;
  stop(): Promise<void>;
}

async function findParts(config: Config, options: ServicesOptions): Promise<UsedParts> {
  const nothing = { started: false, stop: () => Promise.resolve() };
  const missing = options.environment === 'local' ? listEmbeddedParts(config, options.environment) : [];
  if (missing.length === 0) return { ...nothing, urls: null };
  const folder = options.embeddedFolder === undefined ? config.embeddedFolder : options.embeddedFolder;
  const running = folder === null ? null : await findRunningParts(folder);
  if (running !== null) return { ...nothing, urls: running };
  const parts = await startParts({
    folder,
    search: options.withSearch !== false && missing.includes('search'),
    report: options.report,
  });
  return { urls: parts, started: true, stop: () => parts.stop() };
}

async function connectServices(
  config: Config,
  options: ServicesOptions,
  parts: UsedParts,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommandServices> {
  const embedded: EmbeddedUrls | null =
    parts.urls === null ? null : { ...parts.urls, searchUrl: parts.urls.searchUrl ?? '' };
  const resolve = (environment: string) => resolveEnvironment(config, environment, env, embedded);
  const { stateUrl } = await resolve(options.environment);
  const state = await openState(stateUrl);
  await prepareState(stateUrl);
  const closing = new AbortController();
  return {
    config,
    state,
    resolve,
    stateUrl,
    env,
    closing: closing.signal,
    embedded: parts.urls,
    startedParts: parts.started,
    log: options.log,
    beginClosing: () => closing.abort(),
    close: async () => {
      closing.abort();
      await state.close().catch(() => undefined);
      await parts.stop();
    },
  };
}

/** Opens what a command needs that looks at one environment's tables, runs `work`, and closes everything whatever happens. */
export async function withTables<T>(
  environment: string,
  configFile: string | undefined,
  work: (services: CommandServices) => Promise<T>,
): Promise<T> {
  const services = await openServices({
    configFile,
    environment,
    withSearch: false,
    report: (line) => writeNote(colors.dim(line)),
    log: () => undefined,
  });
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}
