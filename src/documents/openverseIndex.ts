/** Index analysis and mappings of Openverse's media. Source: "Index settings" and "Mapping" of the guide. */

type Definition = Readonly<Record<string, unknown>>;

/** The `analysis` part of the index settings. The order of the filters decides which stems come out. */
export const openverseAnalysis: Definition = {
  filter: {
    stem_overrides: {
      type: 'stemmer_override',
      rules: [
        'animals => animal',
        'animal => animal',
        'anime => anime',
        'animate => animate',
        'animated => animate',
        'universe => universe',
      ],
    },
    english_stop: { type: 'stop', stopwords: '_english_' },
    english_stemmer: { type: 'stemmer', language: 'english' },
    english_possessive_stemmer: { type: 'stemmer', language: 'possessive_english' },
  },
  analyzer: {
    custom_english: {
      type: 'custom',
      tokenizer: 'standard',
      filter: [
        'stem_overrides',
        'english_possessive_stemmer',
        'lowercase',
        'english_stop',
        'english_stemmer',
      ],
    },
  },
};

const keyword = { type: 'keyword' };
const shortKeyword = { type: 'keyword', ignore_above: 256 };
// `raw` keeps words unstemmed: sensitive terms are matched there, where *general* is not *generate*.
const raw = { type: 'text', analyzer: 'standard' };
const rankFeature = { type: 'rank_feature' };

const mediaProperties = {
  id: { type: 'long' },
  created_on: { type: 'date' },
  mature: { type: 'boolean' },
  identifier: keyword,
  extension: keyword,
  license: keyword,
  provider: keyword,
  source: keyword,
  filetype: keyword,
  category: keyword,
  title: {
    type: 'text',
    analyzer: 'custom_english',
    similarity: 'boolean',
    fields: { keyword: shortKeyword, raw },
  },
  description: { type: 'text', analyzer: 'custom_english', similarity: 'boolean', fields: { raw } },
  creator: { type: 'text', fields: { keyword: shortKeyword } },
  standardized_popularity: rankFeature,
  authority_boost: rankFeature,
  max_boost: rankFeature,
  min_boost: rankFeature,
  authority_penalty: { type: 'rank_feature', positive_score_impact: false },
  tags: {
    properties: {
      accuracy: { type: 'float' },
      name: { type: 'text', analyzer: 'custom_english', fields: { keyword: shortKeyword, raw } },
    },
  },
};

/** The mapping of image indexes. */
export const imageMappings: Definition = {
  dynamic: false,
  properties: { ...mediaProperties, aspect_ratio: keyword, size: keyword },
};

/** The mapping of audio indexes. */
export const audioMappings: Definition = {
  dynamic: false,
  properties: { ...mediaProperties, length: keyword },
};
