import type { Session } from '../../../src/postgres/session.js';

/** The specification's section "Filter data", read sentence by sentence. */

const deniedNames = [
  ...['no person', 'squareformat', 'uploaded:by=flickrmobile', 'uploaded:by=instagram'],
  ...['flickriosapp:filter=flamingo', 'by'],
];
const deniedParts = [
  ...['flickriosapp', 'uploaded', ':', '=', 'cc0', 'by-nc', 'by-nd', 'by-sa', 'by-nc-nd', 'by-nc-sa', 'pdm'],
];

/** A text that reads as a decimal number counts as that number; no number: null. */
function accuracyOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (
    typeof value !== 'string' ||
    !/^[-+]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(value.trim())
  )
    return null;
  return Number(value);
}

function isKept(tag: unknown): boolean {
  if (tag === null || typeof tag !== 'object' || Array.isArray(tag)) return false;
  const { name, provider } = tag as Record<string, unknown>;
  if (typeof name !== 'string') return false;
  if ('accuracy' in tag) {
    const accuracy = accuracyOf(tag.accuracy);
    if (accuracy === null || accuracy < 0.9) return false;
  }
  if (provider === 'rekognition') return false;
  const lower = name.toLowerCase();
  return !deniedNames.includes(lower) && deniedParts.every((part) => !lower.includes(part));
}

/** Identifier → what is left of its tags, as Postgres prints it; only of records whose tags are a list. */
export async function readFilteredTags(catalog: Session, table: string): Promise<Map<string, string>> {
  const { rows } = await catalog.query<{ identifier: string; tags: string[] }>(
    `select identifier::text, array(select tag::text from jsonb_array_elements(tags) with ordinality as t (tag, place) order by place) as tags
     from public."${table}" where jsonb_typeof(tags) = 'array'`,
  );
  return new Map(
    rows.map(({ identifier, tags }) => [
      identifier,
      `[${tags.filter((tag) => isKept(JSON.parse(tag))).join(', ')}]`,
    ]),
  );
}
