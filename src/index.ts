/** The public interface: what a `freshet.config.ts` imports. */
export * from './config/publicApi.js';
export type { OpenverseOverrides } from './config/presets/openverse.js';
export type { ConfigInput } from './config/schema.js';
export type {
  Config,
  EnvironmentConfig,
  EnvironmentMedia,
  GateLimits,
  Hook,
  IndexDefinition,
  MediaConfig,
  PromotionSettings,
  PromotionWindow,
  SearchConnection,
  SecretReference,
  TableMapping,
  TagRules,
  TransformRow,
  Weekday,
} from './config/types.js';
export type {
  DocumentBuilder,
  DocumentDefinition,
  RowFacts,
  SearchDocument,
  SourceRow,
} from './documents/types.js';
