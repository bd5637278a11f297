import type { DocumentDefinition } from '../documents/types.js';

/**
 * Where a secret comes from. A plain text is allowed only where it holds no secret (a URL without a password).
 * `env`: the name of an environment variable; `file`: a path whose trimmed content it is.
 */
export type SecretReference = string | { readonly env: string } | { readonly file: string };

/** A row as the `transform` hook sees it: downstream column name → Postgres' text of the value, or null. */
export type TransformRow = Record<string, string | null>;

/** One table that a refresh copies from the catalog (upstream) and promotes in the API database (downstream). */
export interface TableMapping {
  /** Table or view in the catalog, `name` or `schema.name`. */
  readonly upstream: string;
  /** Table in the API database, `name` or `schema.name` (schema `public` when it has none). The temp table is `temp_import_<name>` beside it. */
  readonly downstream: string;
  /** Downstream columns that identify a record across refreshes: it keeps its id while they stay the same. */
  readonly key: readonly string[];
  /** Integer column whose values are kept or given by freshet. */
  readonly idColumn: string;
  /** Table with an `identifier` column; rows whose identifier it lists are not copied. */
  readonly deletedMediaTable: string | null;
  /** Upstream column → downstream column, where the names differ. */
  readonly renames: Readonly<Record<string, string>>;
  /** Downstream columns that must exist on both sides and hold no null. */
  readonly requiredColumns: readonly string[];
  /** Columns that the promoted table gets even where the live one lacks them (name → Postgres type): the declared additions. */
  readonly addedColumns: Readonly<Record<string, string>>;
  /** Downstream columns that API writers change on the live row (name → default): a known record keeps the live value. */
  readonly keptColumns: Readonly<Record<string, string>>;
  /** Columns with URLs to which a missing `https://` is added; empty = off. */
  readonly addUrlSchemesTo: readonly string[];
  /** Changes a row while it is copied; returning null leaves the row out (counted). Runs in the orchestrator, once per row. */
  readonly transform: ((row: TransformRow) => TransformRow | null) | null;
}

/** Which tags of the `tags` array are dropped during the copy. Data, not code; see section "Filter data" of the guide. */
export interface TagRules {
  readonly column: string;
  /** A tag whose `accuracy` is below this is dropped; equal stays. */
  readonly accuracyMin: number;
  readonly droppedProviders: readonly string[];
  /** Lower-cased names that are dropped when equal. */
  readonly droppedNames: readonly string[];
  /** Lower-cased texts that drop a name containing them. */
  readonly droppedNameParts: readonly string[];
}

/** The search index of a media type. */
export interface IndexDefinition {
  /** Public alias; indexes are `<alias>-<suffix>`. */
  readonly alias: string;
  /** Public alias of the filtered index; indexes are `<alias>-<suffix>-filtered`. */
  readonly filteredAlias: string;
  /** The `analysis` part of the index settings. */
  readonly analysis: Readonly<Record<string, unknown>>;
  /** The mapping. */
  readonly mappings: Readonly<Record<string, unknown>>;
  /** Fields whose `raw` sub-field is searched for sensitive terms. */
  readonly sensitiveTermFields: readonly string[];
}

export interface MediaConfig {
  readonly name: string;
  readonly main: TableMapping;
  readonly additional: readonly TableMapping[];
  /** Table with an `identifier` column: its records are indexed with `sensitive` set. Null = none. */
  readonly sensitiveMediaTable: string | null;
  /** Boolean column of the main table: rows with true are not indexed. Null = none. */
  readonly removedColumn: string | null;
  /** Column by whose values rows are counted and compared before and after. */
  readonly sourceColumn: string;
  readonly tagRules: TagRules | null;
  readonly index: IndexDefinition;
  readonly document: DocumentDefinition;
}

/** Limits of the gate. Shares are of 1. */
export interface GateLimits {
  /** A source may lose at most this share of its rows. Null = not checked. */
  readonly sourceLossShareMax: number | null;
  /** The total may shrink by at most this share. Null = not checked. */
  readonly totalLossShareMax: number | null;
  /** Rows compared field by field with their documents. */
  readonly sampleRows: number;
  /** Rejected documents that a run may have. */
  readonly rejectsMax: number;
  /** Rows of other tables that may refer to records which vanish. */
  readonly orphansMax: number;
  /** An empty result is promoted only when this is true. */
  readonly allowEmpty: boolean;
}

export interface SearchConnection {
  /** One URL or several nodes of one cluster; a password only by reference. Null = the embedded engine (`local` only). */
  readonly urls: readonly SecretReference[] | null;
  /** Replicas of a serving index. Null = 1, or 0 on a cluster of one node. */
  readonly replicas: number | null;
  /** `refresh_interval` of a serving index. */
  readonly refreshInterval: string;
  /** Documents per second of the filtered index' reindex; 0 = unlimited. */
  readonly reindexDocsPerSecond: number;
}

/** The days of a week as windows name them, Monday first. */
export const weekdays = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
export type Weekday = (typeof weekdays)[number];

/** A time in which candidates may be promoted, in UTC, every week. */
export interface PromotionWindow {
  /** Days on which it opens. */
  readonly days: readonly Weekday[];
  /** `HH:MM`. */
  readonly from: string;
  /** `HH:MM`, up to `24:00`; one that is not later than `from` is on the next day. */
  readonly to: string;
}

/** What a promotion waits for, or is told to, outside of freshet: a command (no shell), or a POST to a URL, which is a secret. */
export type Hook = (
  | { readonly command: readonly [string, ...string[]]; readonly url?: undefined }
  | { readonly url: Exclude<SecretReference, string>; readonly command?: undefined }
) & {
  /** A hook that takes longer has failed. */
  readonly timeoutSeconds: number;
};

export interface PromotionSettings {
  /** When candidates may be promoted; empty = at any time. */
  readonly windows: readonly PromotionWindow[];
  /** Minutes in which the locks of the swap are tried for. */
  readonly lockWindowMinutes: number;
  /** In their order; one that fails refuses the promotion. */
  readonly before: readonly Hook[];
  /** In their order; one that fails is told, and undoes nothing. */
  readonly after: readonly Hook[];
}

/** Settings of one media type in one environment. */
export interface EnvironmentMedia {
  /** Cron expression in UTC, or null for manual runs only. */
  readonly schedule: string | null;
  readonly shards: number;
  /** Rows copied at most, ordered by the key; null = all. Undefined = by host environment. */
  readonly recordLimit: number | null | undefined;
}

export interface EnvironmentConfig {
  readonly name: string;
  /** Unset references are an error only when the environment is used. Null = an embedded part (`local` only). */
  readonly catalogUrl: SecretReference | null;
  readonly apiUrl: SecretReference | null;
  /** Always there, so that its settings also hold for the embedded engine. */
  readonly search: SearchConnection;
  /** Indexer workers that a run uses. */
  readonly workers: number;
  /** Terms that hide a document from the filtered index, one per line; null = none are configured and the filtered index equals the main one. */
  readonly sensitiveTerms: { readonly from: SecretReference; readonly allowEmpty: boolean } | null;
  /** Schema's own limits of the gate. */
  readonly gate: GateLimits;
  readonly promotion: PromotionSettings;
  readonly media: Readonly<Record<string, EnvironmentMedia>>;
  /** Keeping the previous generation: until the next promotion, or only until the next run starts (saves disk during a run). */
  readonly keepPreviousUntil: 'next promotion' | 'next run';
  /** How long what a run made that failed or was refused stays for `freshet retry`, hours; 0 = it is removed at its end. */
  readonly keepFailedHours: number;
}

/** The whole configuration as it is in force: validated, defaults filled in, frozen. */
export interface Config {
  /** Where the orchestrator runs; decides the default record limit and where workers come from. */
  readonly hostEnvironment: 'local' | 'production';
  /** The state database. Null = embedded, which serves the environment `local` only. */
  readonly stateUrl: SecretReference | null;
  /** Absolute path of the embedded parts' data; default `.freshet` beside the configuration. */
  readonly embeddedFolder: string;
  readonly environments: Readonly<Record<string, EnvironmentConfig>>;
  readonly media: Readonly<Record<string, MediaConfig>>;
  /** The file that it was read from; null = the built-in Openverse preset. */
  readonly file: string | null;
}

/** A media type in an environment: what a run is about. Ids `<env>_<media>_data_refresh`. */
export interface RefreshDefinition {
  readonly id: string;
  readonly environment: EnvironmentConfig;
  readonly media: MediaConfig;
  readonly settings: EnvironmentMedia;
}
