import type { ConfigInput } from './schema.js';

/**
 * Types a configuration while it is written; it is validated when a command loads it.
 *
 * @example
 * export default defineConfig(openverse({ environments: { local: { workers: 2 } } }));
 */
export function defineConfig(input: ConfigInput): ConfigInput {
  return input;
}
