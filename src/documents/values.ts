/**
 * Lucene's FeatureField takes positive *normal* floats only: 0, negative and smaller values get the whole document rejected.
 * The predecessor sent 0 for a negative popularity and lost the document.
 */
const rankFeatureMin = 2 ** -126;
const rankFeatureMax = 100;
const descriptionCodePointsMax = 2_000;

/** A value of a JSON object's own key, else undefined; `json` that is no object has no keys. */
export function jsonValue(json: unknown, key: string): unknown {
  return isJsonObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
}

export function isJsonObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** A number, or plain decimal text of one (`85`, `-1.5`). Anything else (`true`, `inf`, `1_0`, `1e3`, null) is no number: undefined. */
export function decimalNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isNaN(value) ? undefined : value;
  if (typeof value !== 'string' || !/^[+-]?(\d+(\.\d*)?|\.\d+)$/.test(value)) return undefined;
  return Number(value);
}

/** The value as a rank feature: at most 100; undefined where the engine would refuse it (not positive). */
export function rankFeature(value: number | undefined): number | undefined {
  if (value === undefined || !(Math.fround(value) >= rankFeatureMin)) return undefined;
  return Math.min(value, rankFeatureMax);
}

/** The first 2,000 code points of a text: never half a surrogate pair. */
export function shortenDescription(text: string): string {
  if (text.length <= descriptionCodePointsMax) return text;
  let end = 0;
  for (let count = 0; count < descriptionCodePointsMax && end < text.length; count += 1) {
    end += (text.codePointAt(end) as number) > 0xffff ? 2 : 1;
  }
  return text.slice(0, end);
}

/**
 * The extension of a URL's last path segment, lower-cased. Query string and fragment are no part of it, a bare host has none.
 * Undefined where there is none.
 */
export function urlExtension(url: unknown): string | undefined {
  if (typeof url !== 'string') return undefined;
  const path = withoutHost(url.slice(0, pathEnd(url)));
  const segment = path.slice(path.lastIndexOf('/') + 1);
  const dot = segment.lastIndexOf('.');
  return dot < 0 || dot === segment.length - 1 ? undefined : segment.slice(dot + 1).toLowerCase();
}

function pathEnd(url: string): number {
  const ends = [url.indexOf('?'), url.indexOf('#')].filter((at) => at >= 0);
  return Math.min(url.length, ...ends);
}

/** What follows `scheme://host`; the whole where there is no host. */
function withoutHost(url: string): string {
  const host = /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*/i.exec(url);
  return host === null ? url : url.slice(host[0].length);
}

/** Adds a field unless it is null, undefined, an empty list or an empty object; `false`, 0 and empty texts are added. */
export function addField(document: Record<string, unknown>, name: string, value: unknown): void {
  if (!isEmpty(value)) document[name] = value;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object') return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}
