import type { RowFacts, SourceRow } from './types.js';
import { decimalNumber, isJsonObject, jsonValue, rankFeature, shortenDescription } from './values.js';

/** The columns that the fields shared by all media types are built from. */
export const mediaColumns = [
  'id',
  'identifier',
  'created_on',
  'provider',
  'source',
  'category',
  'title',
  'creator',
  'url',
  'license',
  'meta_data',
  'tags',
  'standardized_popularity',
] as const;

const authorityByProvider: ReadonlyMap<unknown, number> = new Map([
  ...[
    'thorvaldsensmuseum',
    'svgsilh',
    'smithsonian',
    'rijksmuseum',
    'museumsvictoria',
    'met',
    'mccordsmuseum',
    'digitaltmuseum',
    'clevelandmuseum',
    'brooklynmuseum',
  ].map((provider): [string, number] => [provider, 90]),
  ...['stocksnap', 'rawpixel'].map((provider): [string, number] => [provider, 85]),
  ...['flickr', 'behance', 'thingiverse', 'sketchfab', 'deviantart'].map((provider): [string, number] => [
    provider,
    75,
  ]),
]);

/** The fields that every media type has; empty ones are still in it. Source: "Search documents" of the guide. */
export function buildMediaFields(row: SourceRow, facts: RowFacts): Record<string, unknown> {
  const popularity = popularityOf(row['standardized_popularity']);
  const authority = authorityOf(row);
  return {
    id: row['id'],
    identifier: row['identifier'],
    created_on: row['created_on'],
    provider: row['provider'],
    source: row['source'],
    category: row['category'],
    title: row['title'],
    creator: row['creator'],
    url: row['url'],
    license: lowerCased(row['license']),
    mature: facts.sensitive || isMature(jsonValue(row['meta_data'], 'mature')),
    description: descriptionOf(row['meta_data']),
    standardized_popularity: popularity,
    authority_boost: authority,
    max_boost: Math.max(popularity ?? 1, authority ?? 1),
    min_boost: Math.min(popularity ?? 1, authority ?? 1),
    tags: tagsOf(row['tags']),
  };
}

function lowerCased(text: unknown): unknown {
  return typeof text === 'string' ? text.toLowerCase() : text;
}

function isMature(value: unknown): boolean {
  return value === true || value === 'true';
}

function descriptionOf(metaData: unknown): string | undefined {
  const description = jsonValue(metaData, 'description');
  return typeof description === 'string' ? shortenDescription(description) : undefined;
}

function popularityOf(column: unknown): number | undefined {
  return typeof column === 'number' ? rankFeature(column * 100) : undefined;
}

/** A key `authority_boost` decides alone, also when it holds no number; only without it the provider's table does. */
function authorityOf(row: SourceRow): number | undefined {
  const stated = jsonValue(row['meta_data'], 'authority_boost');
  return rankFeature(stated === undefined ? authorityByProvider.get(row['provider']) : decimalNumber(stated));
}

interface IndexedTag {
  readonly name: string;
  readonly accuracy?: number;
}

function tagsOf(tags: unknown): IndexedTag[] {
  return Array.isArray(tags) ? tags.flatMap(indexedTag) : [];
}

function indexedTag(tag: unknown): IndexedTag[] {
  if (!isJsonObject(tag)) return [];
  const name = jsonValue(tag, 'name');
  const accuracy = jsonValue(tag, 'accuracy');
  if (typeof name !== 'string') return [];
  // The field is a float: the engine refuses the whole document for a number beyond it.
  return typeof accuracy === 'number' && Number.isFinite(Math.fround(accuracy))
    ? [{ name, accuracy }]
    : [{ name }];
}
