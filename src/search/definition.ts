import type { IndexDefinition } from '../config/types.js';
import { isRecord, withMark, type IndexMark } from './mark.js';

/** What an index is created with, and whether an existing one still is what the definition says. Pure. */

/** Settings while an index is loaded: no copies to write, no refreshes between. */
const loadingSettings = { number_of_replicas: 0, refresh_interval: '-1' };

/** Body of the request that creates the index. */
export function creationBody(
  index: IndexDefinition,
  shards: number,
  mark: IndexMark,
  alias: string | null,
): Record<string, unknown> {
  return {
    settings: { index: { number_of_shards: shards, ...loadingSettings }, analysis: index.analysis },
    mappings: withMark(index.mappings, mark),
    ...(alias === null ? {} : { aliases: { [alias]: {} } }),
  };
}

/** `settings` and `mappings` of one index as the engine returns them. */
export interface IndexState {
  readonly settings: { readonly index: Readonly<Record<string, unknown>> };
  readonly mappings: Readonly<Record<string, unknown>>;
  readonly aliases: Readonly<Record<string, unknown>>;
}

/** Settings that an index is expected to have; those left out are not compared. */
export interface ExpectedSettings {
  readonly shards: number;
  readonly replicas?: number;
  readonly refreshInterval?: string;
}

/** In which points `found` is not what the definition and `settings` say, as sentences; empty = it is. The mark is not compared. */
export function differencesOf(
  index: IndexDefinition,
  settings: ExpectedSettings,
  found: IndexState,
): string[] {
  const actual = found.settings.index;
  const wanted: [string, unknown][] = [
    ['number_of_shards', settings.shards],
    ['number_of_replicas', settings.replicas],
    ['refresh_interval', settings.refreshInterval],
  ];
  return [
    ...wanted.flatMap(([name, value]) => (value === undefined ? [] : settingDifference(name, value, actual))),
    ...compareTrees('analysis', index.analysis, actual['analysis'] ?? {}),
    ...compareTrees('mappings', withoutMeta(index.mappings), withoutMeta(found.mappings)),
  ];
}

function settingDifference(
  name: string,
  wanted: unknown,
  actual: Readonly<Record<string, unknown>>,
): string[] {
  // Unset means the engine's default: 1 s, but only while searches come; written out it always holds.
  const value = actual[name];
  return String(value) === String(wanted)
    ? []
    : [`index.${name} is ${describe(value)} instead of ${describe(wanted)}`];
}

function withoutMeta(mappings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(mappings).filter(([name]) => name !== '_meta'));
}

/** Mapping parameters that the engines leave out of their answers where they have these values. */
const defaults: Readonly<Record<string, string>> = {
  index: 'true',
  store: 'false',
  norms: 'true',
  doc_values: 'true',
  enabled: 'true',
  positive_score_impact: 'true',
  type: 'object',
};

function compareTrees(path: string, wanted: unknown, found: unknown): string[] {
  if (isRecord(wanted) && isRecord(found)) {
    const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].sort();
    return names.flatMap((name) =>
      compareTrees(`${path}.${name}`, wanted[name] ?? defaults[name], found[name] ?? defaults[name]),
    );
  }
  return describe(wanted) === describe(found)
    ? []
    : [`${path} is ${describe(found)} instead of ${describe(wanted)}`];
}

/** The engines return every scalar of the settings as text, so that all are compared as text. */
function describe(value: unknown): string {
  if (value === undefined || value === null) return 'unset';
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'number' || typeof part === 'boolean' ? String(part) : part,
  );
}
