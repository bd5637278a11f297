import { dirname } from 'node:path';
import {
  completeConfig,
  findHostProblems,
  freezeDeep,
  type CompletionContext,
  type Variables,
} from './complete.js';
import { findCollisions, findContradictions } from './crossChecks.js';
import { openverse, type OpenverseOverrides } from './presets/openverse.js';
import { configurationError, problemsOf, type Problem } from './problems.js';
import { readAddresses } from './readAddresses.js';
import { findConfigFile, readConfigFile } from './readFile.js';
import { configSchema } from './schema.js';
import type { Config } from './types.js';

export interface LoadOptions {
  /** Where `freshet.config.{ts,js,mjs,json,yaml,yml}` is looked for. */
  readonly cwd: string;
  /** A file by name; then it must exist. */
  readonly file?: string | undefined;
  readonly env: Variables;
}

/**
 * The configuration in force: read, validated, completed, frozen. Without a file the built-in Openverse preset.
 * Throws CONFIGURATION_INVALID that names the file and, for every problem at once, the key and the reason.
 */
export async function loadConfig({ cwd, file, env }: LoadOptions): Promise<Config> {
  const found = await findConfigFile(cwd, file);
  const input = found === null ? openverse() : await readConfigFile(found);
  return buildConfig(input, { env, file: found, folder: found === null ? cwd : dirname(found) });
}

/** Validates and completes what a file holds. Throws as `loadConfig`. */
export async function buildConfig(input: unknown, context: CompletionContext): Promise<Config> {
  const parsed = configSchema.safeParse(expandPreset(input));
  const problems = [
    ...(parsed.success ? [] : problemsOf(parsed.error, configSchema)),
    ...findHostProblems(context.env),
  ];
  if (!parsed.success) throw configurationError(context.file, explainMissing(input, problems));
  throwIfAny(problems, context);
  const config = completeConfig(parsed.data, context);
  throwIfAny(findContradictions(config), context);
  const read = await readAddresses(config, context.env);
  throwIfAny([...read.problems, ...findCollisions(config, read.addresses)], context);
  return freezeDeep(config);
}

function throwIfAny(problems: readonly Problem[], { file }: CompletionContext): void {
  if (problems.length > 0) throw configurationError(file, problems);
}

/** `preset: openverse` in a file: the rest of it is laid over the preset. */
function expandPreset(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || !('preset' in input)) return input;
  return input.preset === 'openverse' ? openverse(input as OpenverseOverrides) : input;
}

/** Somebody who gives no media types most likely wants to change the preset. */
function explainMissing(input: unknown, problems: readonly Problem[]): Problem[] {
  const hasPreset = typeof input === 'object' && input !== null && 'preset' in input;
  return problems.map((problem) =>
    problem.path === 'media' && problem.reason.startsWith('is missing') && !hasPreset
      ? {
          ...problem,
          reason: 'is missing; add media types, or `preset: "openverse"` to start from the preset.',
        }
      : problem,
  );
}
