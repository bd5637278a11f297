import { z } from 'zod';
import type { DocumentBuilder } from '../documents/types.js';
import {
  keepFailedHoursMax,
  recordLimitMax,
  reindexDocsPerSecondMax,
  rejectsListedMax,
  replicasMax,
  sampleRowsMax,
  shardsMax,
  workersMax,
} from '../limits.js';
import {
  aliasField,
  columnField,
  columnTypeField,
  countField,
  liveTableField,
  nameField,
  refreshIntervalField,
  relationField,
  scheduleField,
  shareField,
} from './fields.js';
import { promotionFields } from './promotionFields.js';
import { databaseUrlField, searchUrlField, textReferenceField } from './secretField.js';
import type { TableMapping } from './types.js';

const isFunction = (value: unknown): boolean => typeof value === 'function';
const functionMessage = 'must be a function, so the configuration must be a .ts, .js or .mjs file.';

const definitionField = z.record(z.string(), z.unknown());
const lowerCasedTexts = z.array(z.string().toLowerCase());

const tableMapping = z.strictObject({
  upstream: relationField,
  downstream: liveTableField,
  key: z.array(columnField).min(1, 'must name at least one column.').default(['identifier']),
  idColumn: columnField.default('id'),
  deletedMediaTable: relationField.nullable().default(null),
  renames: z.record(columnField, columnField).default({}),
  requiredColumns: z.array(columnField).default([]),
  addedColumns: z.record(columnField, columnTypeField).default({}),
  keptColumns: z.record(columnField, z.string()).default({}),
  addUrlSchemesTo: z.array(columnField).default([]),
  transform: z
    .custom<NonNullable<TableMapping['transform']>>(isFunction, functionMessage)
    .nullable()
    .default(null),
});

const tagRules = z.strictObject({
  column: columnField.default('tags'),
  accuracyMin: z.number().min(0).max(1).default(0),
  droppedProviders: z.array(z.string()).default([]),
  droppedNames: lowerCasedTexts.default([]),
  droppedNameParts: lowerCasedTexts.default([]),
});

const index = z.strictObject({
  alias: aliasField,
  filteredAlias: aliasField,
  analysis: definitionField.default({}),
  mappings: definitionField,
  sensitiveTermFields: z.array(z.string()).default([]),
});

const document = z.strictObject({
  version: z.string().min(1, 'must not be empty.'),
  columns: z.array(columnField).readonly(),
  build: z.custom<DocumentBuilder>(isFunction, functionMessage),
});

const media = z.strictObject({
  main: tableMapping,
  additional: z.array(tableMapping).default([]),
  sensitiveMediaTable: relationField.nullable().default(null),
  removedColumn: columnField.nullable().default(null),
  sourceColumn: columnField.default('source'),
  tagRules: tagRules.nullable().default(null),
  index,
  document,
});

const gate = z.strictObject({
  sourceLossShareMax: shareField.default(0.2),
  totalLossShareMax: shareField.default(0.1),
  sampleRows: countField(0, sampleRowsMax, 'rows').default(10_000),
  rejectsMax: countField(0, rejectsListedMax, 'documents').default(0),
  orphansMax: countField(0, Number.MAX_SAFE_INTEGER, 'rows').default(1_000),
  allowEmpty: z.boolean().default(false),
});

const search = z.strictObject({
  urls: z.array(searchUrlField).min(1, 'must name at least one node.').optional(),
  replicas: countField(0, replicasMax, 'replicas').nullable().default(null),
  refreshInterval: refreshIntervalField.default('1s'),
  reindexDocsPerSecond: countField(0, reindexDocsPerSecondMax, 'documents per second').default(20_000),
});

const environmentMedia = z.strictObject({
  schedule: scheduleField.nullable().default(null),
  shards: countField(1, shardsMax, 'shards').default(1),
  recordLimit: countField(1, recordLimitMax, 'records').nullable().optional(),
});

const sensitiveTerms = z.strictObject({
  from: textReferenceField,
  allowEmpty: z.boolean().default(false),
});

const environment = z.strictObject({
  catalogUrl: databaseUrlField.optional(),
  apiUrl: databaseUrlField.optional(),
  search: search.prefault({}),
  workers: countField(1, workersMax, 'workers').default(1),
  sensitiveTerms: sensitiveTerms.nullable().default(null),
  gate: gate.prefault({}),
  promotion: promotionFields.prefault({}),
  media: z.record(nameField, environmentMedia).optional(),
  keepPreviousUntil: z.enum(['next promotion', 'next run']).default('next promotion'),
  keepFailedHours: z
    .number()
    .min(0, 'must not be negative.')
    .max(keepFailedHoursMax, `must be at most ${keepFailedHoursMax} hours.`)
    .default(24),
});

/** The whole configuration as a file gives it. What depends on names and on environment variables is added by `completeConfig`. */
export const configSchema = z.strictObject({
  /** Files of data begin from a preset with it; code calls the preset's function instead. Expanded before validation. */
  preset: z.enum(['openverse']).optional(),
  hostEnvironment: z.enum(['local', 'production']).optional(),
  stateUrl: databaseUrlField.optional(),
  embeddedFolder: z.string().min(1, 'must be a path.').optional(),
  environments: z.record(nameField, environment),
  media: z.record(nameField, media),
});

/** What a configuration file exports: every key that has a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
/** The configuration after validation, before names and environment variables are taken into account. */
export type ParsedConfig = z.output<typeof configSchema>;
