import { access, readFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { messageOf } from '../errors.js';
import { configurationError } from './problems.js';
import * as publicApi from './publicApi.js';

const extensions = ['ts', 'js', 'mjs', 'json', 'yaml', 'yml'];

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/**
 * The configuration file: the named one, else `freshet.config.*` in `cwd`, else null (the built-in preset).
 * Throws CONFIGURATION_INVALID where the named one is missing or two lie side by side.
 */
export async function findConfigFile(cwd: string, file?: string): Promise<string | null> {
  if (file !== undefined) {
    const named = resolve(cwd, file);
    if (await exists(named)) return named;
    throw configurationError(named, [{ path: '', reason: 'the file does not exist.' }]);
  }
  const candidates = extensions.map((extension) => join(cwd, `freshet.config.${extension}`));
  const present = await Promise.all(candidates.map(exists));
  const found = candidates.filter((_, index) => present[index]);
  if (found.length > 1) {
    throw configurationError(cwd, [
      { path: '', reason: `there are several configurations, keep one or name it: ${found.join(', ')}.` },
    ]);
  }
  return found[0] ?? null;
}

/** What the file holds, not yet validated. Throws CONFIGURATION_INVALID with the reader's own message (line and column). */
export async function readConfigFile(file: string): Promise<unknown> {
  try {
    return await readByExtension(file);
  } catch (error) {
    throw configurationError(file, [{ path: '', reason: `the file cannot be read: ${messageOf(error)}` }], {
      cause: error,
    });
  }
}

async function readByExtension(file: string): Promise<unknown> {
  switch (extname(file)) {
    case '.json':
      return JSON.parse(await readFile(file, 'utf8')) as unknown;
    case '.yaml':
    case '.yml':
      return (await import('yaml')).parse(await readFile(file, 'utf8')) as unknown;
    case '.ts':
    case '.js':
    case '.mjs':
      return importModule(file);
    default:
      throw new Error(`its name must end in ${extensions.map((extension) => `.${extension}`).join(', ')}.`);
  }
}

async function importModule(file: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, {
    fsCache: false,
    moduleCache: false,
    interopDefault: false,
    virtualModules: { freshet: publicApi },
  });
  const loaded = await jiti.import<Record<string, unknown>>(file);
  if (!('default' in loaded))
    throw new Error('it has no default export: export default defineConfig({ … }).');
  return loaded['default'];
}
