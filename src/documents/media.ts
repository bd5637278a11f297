import type { RowFacts, SourceRow } from './types.js';
import {
  addField,
  decimalNumber,
  isJsonObject,
  jsonValue,
  rankFeature,
  shortenDescription,
} from './values.js';

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

/** Columns that go into the document as they are. */
const plainColumns = [
  'id',
  'identifier',
  'created_on',
  'provider',
  'source',
  'category',
  'title',
  'creator',
  'url',
] as const;

/** A document with the fields that every media type has. Source: "Search documents" of the guide. */
export function buildMediaDocument(row: SourceRow, facts: RowFacts): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const column of plainColumns) addField(document, column, row[column]);
  addField(document, 'license', lowerCased(row['license']));
  addField(document, 'mature', facts.sensitive || isMature(jsonValue(row['meta_data'], 'mature')));
  addField(document, 'description', descriptionOf(row['meta_data']));
  addBoosts(document, popularityOf(row['standardized_popularity']), authorityOf(row));
  addField(document, 'tags', tagsOf(row['tags']));
  return document;
}

function addBoosts(
  document: Record<string, unknown>,
  popularity: number | undefined,
  authority: number | undefined,
): void {
  addField(document, 'standardized_popularity', popularity);
  addField(document, 'authority_boost', authority);
  addField(document, 'max_boost', Math.max(popularity ?? 1, authority ?? 1));
  addField(document, 'min_boost', Math.min(popularity ?? 1, authority ?? 1));
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
