import type { TableMapping, TagRules } from '../../../src/config/types.js';
import type { CopiedMedia } from '../../../src/copy/types.js';

const tagRules: TagRules = {
  column: 'tags',
  accuracyMin: 0.9,
  droppedProviders: ['rekognition'],
  droppedNames: ['no person', 'by'],
  droppedNameParts: [':', '=', 'cc0', 'by-nc'],
};

const noMapping: Omit<TableMapping, 'upstream' | 'downstream' | 'key'> = {
  idColumn: 'id',
  deletedMediaTable: null,
  renames: {},
  requiredColumns: [],
  addedColumns: {},
  keptColumns: {},
  addUrlSchemesTo: [],
  transform: null,
};

/** A mapping of one table with nothing special. */
export function mappingOf(
  table: string,
  key: readonly string[],
  changes: Partial<TableMapping> = {},
): TableMapping {
  return { ...noMapping, upstream: table, downstream: table, key, ...changes };
}

/** The specification's media type, image or audio. */
export function mediaOf(name: 'image' | 'audio', changes: Partial<TableMapping> = {}): CopiedMedia {
  const main = mappingOf(name, ['identifier'], {
    deletedMediaTable: `api_deleted${name}`,
    renames: name === 'audio' ? { set_position: 'audio_set_position' } : {},
    requiredColumns: ['identifier', 'url', 'license', 'removed_from_source'],
    addedColumns: { standardized_popularity: 'double precision' },
    keptColumns: { view_count: '0' },
    ...changes,
  });
  const audioset = mappingOf('audioset', ['foreign_identifier', 'provider'], { upstream: 'audioset_view' });
  return {
    name,
    main,
    additional: name === 'audio' ? [audioset] : [],
    sensitiveMediaTable: `api_mature${name}`,
    tagRules,
  };
}

/** A media type of one table without lists and rules. */
export function plainMedia(main: TableMapping): CopiedMedia {
  return { name: 'thing', main, additional: [], sensitiveMediaTable: null, tagRules: null };
}
