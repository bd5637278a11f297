import type { Media } from './media.js';
import type { Row } from './tables.js';

/** The specification's page "Search documents", field by field. */

const authority: Readonly<Record<string, number>> = Object.fromEntries([
  ...[
    ...['thorvaldsensmuseum', 'svgsilh', 'smithsonian', 'rijksmuseum', 'museumsvictoria', 'met'],
    ...['mccordsmuseum', 'digitaltmuseum', 'clevelandmuseum', 'brooklynmuseum'],
  ].map((provider) => [provider, 90] as const),
  ...['stocksnap', 'rawpixel'].map((provider) => [provider, 85] as const),
  ...['flickr', 'behance', 'thingiverse', 'sketchfab', 'deviantart'].map(
    (provider) => [provider, 75] as const,
  ),
]);

export type Document = Readonly<Record<string, unknown>>;

/** The document of a row, given whether the sensitive-media table lists it. */
export function documentOf(media: Media, row: Row, isSensitive: boolean): Document {
  const metaData = objectOf(row['meta_data']);
  const popularity = boost(numberOf(row['standardized_popularity']), 100);
  const provider = row['provider'] ?? '';
  const boostOfProvider = Object.hasOwn(authority, provider) ? authority[provider] : undefined;
  const trust = boost(
    'authority_boost' in metaData ? decimalOf(metaData['authority_boost']) : boostOfProvider,
    1,
  );
  const [mature, description] = [metaData['mature'], metaData['description']];
  return withoutEmpty({
    id: Number(row['id']),
    identifier: row['identifier'],
    created_on: timeOf(row['created_on']),
    ...Object.fromEntries(
      ['provider', 'source', 'category', 'title', 'creator', 'url'].map((name) => [name, row[name]]),
    ),
    license: row['license']?.toLowerCase(),
    mature: isSensitive || mature === true || mature === 'true',
    description: typeof description === 'string' ? [...description].slice(0, 2_000).join('') : undefined,
    standardized_popularity: popularity,
    authority_boost: trust,
    max_boost: Math.max(popularity ?? 1, trust ?? 1),
    min_boost: Math.min(popularity ?? 1, trust ?? 1),
    tags: tagsOf(row['tags']),
    ...(media === 'image' ? imageFields(row) : audioFields(row)),
  });
}

function imageFields(row: Row): Document {
  const extension = extensionOf(row['url'] ?? '');
  if (row['width'] == null || row['height'] == null) return { extension };
  const [width, height] = [Number(row['width']), Number(row['height'])];
  const pixels = width * height;
  return {
    extension,
    aspect_ratio: width === height ? 'square' : width > height ? 'wide' : 'tall',
    size: pixels >= 1_440_000 ? 'large' : pixels >= 307_200 ? 'medium' : 'small',
  };
}

function audioFields(row: Row): Document {
  const files: unknown = JSON.parse(row['alt_files'] ?? 'null');
  const types = (Array.isArray(files) ? (files as unknown[]) : [])
    .map((file) =>
      file === null || typeof file !== 'object' ? undefined : (file as { filetype?: unknown }).filetype,
    )
    .filter((type) => typeof type === 'string');
  return {
    filetype: row['filetype'],
    extension: types.length === 0 ? row['filetype'] : types,
    length: lengthOf(Number(row['duration'] ?? 0)),
  };
}

function lengthOf(ms: number): string | undefined {
  if (ms === 0) return undefined;
  if (ms < 30_000) return 'shortest';
  if (ms < 120_000) return 'short';
  return ms < 600_000 ? 'medium' : 'long';
}

/** Text after the last dot of the path's last segment. Query and fragment are no part of the path, and a host has none. */
function extensionOf(url: string): string | undefined {
  const path = url.split(/[?#]/)[0] ?? '';
  const withoutHost = path.replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/]*/i, '');
  const segment = withoutHost.split('/').at(-1) ?? '';
  return segment.includes('.') ? segment.split('.').at(-1)?.toLowerCase() || undefined : undefined;
}

function tagsOf(text: string | null | undefined): Document[] {
  const tags: unknown = JSON.parse(text ?? 'null');
  if (!Array.isArray(tags)) return [];
  return (tags as unknown[]).flatMap((tag) => {
    if (tag === null || typeof tag !== 'object') return [];
    const { name, accuracy } = tag as { name?: unknown; accuracy?: unknown };
    if (typeof name !== 'string') return [];
    return [typeof accuracy === 'number' ? { name, accuracy } : { name }];
  });
}

/** A JSON object's own keys; anything else counts as absent. */
function objectOf(text: string | null | undefined): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text ?? 'null');
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
  return Object.assign(Object.create(null) as Record<string, unknown>, isObject ? value : {});
}

/** NaN and infinities are no numbers of JSON: absent. */
function numberOf(text: string | null | undefined): number | undefined {
  const value = text == null ? NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function decimalOf(value: unknown): number | undefined {
  if (typeof value === 'string')
    return /^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)$/.test(value) ? Number(value) : undefined;
  return typeof value === 'number' ? value : undefined;
}

/** At most 100; a rank feature must be positive. */
function boost(value: number | undefined, factor: number): number | undefined {
  return value !== undefined && value * factor > 0 ? Math.min(value * factor, 100) : undefined;
}

/** ISO 8601; what a search engine's date cannot hold (before Christ, after 9999, infinity) is absent. */
function timeOf(text: string | null | undefined): string | undefined {
  const [, day, time, offset] = /^(\d{4}-\d\d-\d\d) ([\d:.]+)([+-]\d\d)$/.exec(text ?? '') ?? [];
  return day === undefined ? undefined : `${day}T${time}${offset}:00`;
}

function withoutEmpty(document: Document): Document {
  return Object.fromEntries(
    Object.entries(document).filter(
      ([, value]) => value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );
}
