import { audioDocument } from '../../documents/audio.js';
import { imageDocument } from '../../documents/image.js';
import { audioMappings, imageMappings, openverseAnalysis } from '../../documents/openverseIndex.js';
import type { ConfigInput } from '../schema.js';
import { mergeDeep, type DeepPartial } from './merge.js';

/** Changes to the Openverse preset: any of its keys, at any depth. */
export type OpenverseOverrides = DeepPartial<ConfigInput>;

type EnvironmentInput = ConfigInput['environments'][string];
type MediaInput = ConfigInput['media'][string];
type TableInput = MediaInput['main'];

/** Which tags are dropped. Source: section "Filter data" of the specification. */
const tagRules = {
  column: 'tags',
  accuracyMin: 0.9,
  droppedProviders: ['rekognition'],
  droppedNames: [
    'no person',
    'squareformat',
    'uploaded:by=flickrmobile',
    'uploaded:by=instagram',
    'flickriosapp:filter=flamingo',
    'by',
  ],
  droppedNameParts: [
    'flickriosapp',
    'uploaded',
    ':',
    '=',
    'cc0',
    'by-nc',
    'by-nd',
    'by-sa',
    'by-nc-nd',
    'by-nc-sa',
    'pdm',
  ],
};

function mainTable(name: string, renames: Record<string, string> = {}): TableInput {
  return {
    upstream: name,
    downstream: name,
    key: ['identifier'],
    deletedMediaTable: `api_deleted${name}`,
    renames,
    requiredColumns: ['identifier', 'url', 'license', 'removed_from_source'],
    // Lost on a fresh API database by the predecessor: its live table lacks the column.
    addedColumns: { standardized_popularity: 'double precision' },
    keptColumns: { view_count: '0' },
  };
}

function mediaOf(name: string, main: TableInput): Omit<MediaInput, 'document' | 'index'> {
  return {
    main,
    sensitiveMediaTable: `api_mature${name}`,
    removedColumn: 'removed_from_source',
    sourceColumn: 'source',
    tagRules,
  };
}

function indexOf(name: string, mappings: Readonly<Record<string, unknown>>): MediaInput['index'] {
  return {
    alias: name,
    filteredAlias: `${name}-filtered`,
    analysis: { ...openverseAnalysis },
    mappings: { ...mappings },
    sensitiveTermFields: ['title', 'description', 'tags.name'],
  };
}

/** A view: one row per set and provider, without `identifier`, so its identity is what the provider calls it. */
const audiosetTable: TableInput = {
  upstream: 'audioset_view',
  downstream: 'audioset',
  key: ['foreign_identifier', 'provider'],
};

const image: MediaInput = {
  ...mediaOf('image', mainTable('image')),
  index: indexOf('image', imageMappings),
  document: imageDocument,
};

const audio: MediaInput = {
  ...mediaOf('audio', mainTable('audio', { set_position: 'audio_set_position' })),
  additional: [audiosetTable],
  index: indexOf('audio', audioMappings),
  document: audioDocument,
};

const sensitiveTerms = { from: { env: 'FRESHET_SENSITIVE_TERMS' } };

function servingEnvironment(name: string, workers: number, schedule: string | null): EnvironmentInput {
  return {
    catalogUrl: { env: 'FRESHET_CATALOG_URL' },
    apiUrl: { env: `FRESHET_${name}_API_URL` },
    search: { urls: [{ env: `FRESHET_${name}_SEARCH_URL` }] },
    workers,
    sensitiveTerms,
    media: { image: { schedule, shards: 18 }, audio: { schedule, shards: 1 } },
  };
}

/** Unset, the four URL variables mean the embedded parts. Sample data comes and goes, so a loss is no alarm. */
const local: EnvironmentInput = {
  catalogUrl: { env: 'FRESHET_CATALOG_URL' },
  apiUrl: { env: 'FRESHET_API_URL' },
  search: { urls: [{ env: 'FRESHET_SEARCH_URL' }] },
  workers: 1,
  sensitiveTerms,
  gate: { sourceLossShareMax: null, totalLossShareMax: null, allowEmpty: false },
  media: { image: { shards: 1 }, audio: { shards: 1 } },
};

const preset: ConfigInput = {
  environments: {
    local,
    staging: servingEnvironment('STAGING', 2, null),
    production: servingEnvironment('PRODUCTION', 6, '0 0 * * 1'),
  },
  media: { image, audio },
};

/**
 * Openverse's configuration: `local`, `staging` and `production` with `image` and `audio`. `overrides` are laid over it key by key;
 * lists are replaced whole.
 *
 * @example
 * export default defineConfig(openverse({ environments: { production: { workers: 12 } } }));
 */
export function openverse(overrides: OpenverseOverrides = {}): ConfigInput {
  return mergeDeep(preset, overrides) as ConfigInput;
}
