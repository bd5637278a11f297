import { z } from 'zod';

const referenceMessage = 'must be a text, { env: "NAME" } or { file: "path" }.';
const passwordMessage =
  'holds a password. Give it as { env: "NAME" } or { file: "path" }, so that it stands in no file that is shared.';

/** The URL in parts, or null where it is none. */
function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** Whether a literal URL gives a password away, in the authority or as a parameter. */
export function holdsPassword(text: string): boolean {
  const url = parseUrl(text);
  if (url === null) return /password\s*=|:\/\/[^/@\s]*:[^/@\s]*@/i.test(text);
  return (
    url.password !== '' || [...url.searchParams.keys()].some((key) => /password|passwd|secret/i.test(key))
  );
}

function hasScheme(text: string, schemes: readonly string[]): boolean {
  const url = parseUrl(text);
  return url !== null && schemes.includes(url.protocol);
}

const fromEnvironment = z.strictObject({
  env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable.'),
});
const fromFile = z.strictObject({ file: z.string().min(1, 'must be a path.') });

function referenceField(literal: z.ZodString) {
  return z.union(
    [literal.refine((text) => !holdsPassword(text), passwordMessage), fromEnvironment, fromFile],
    {
      error: referenceMessage,
    },
  );
}

function urlField(schemes: readonly string[], example: string) {
  const literal = z.string().refine((text) => hasScheme(text, schemes), `must be a URL such as ${example}`);
  return referenceField(literal);
}

export const databaseUrlField = urlField(
  ['postgres:', 'postgresql:'],
  'postgres://user@host:5432/database, { env: "NAME" } or { file: "path" }.',
);
export const searchUrlField = urlField(
  ['http:', 'https:'],
  'https://host:9200, { env: "NAME" } or { file: "path" }.',
);
export const textReferenceField = referenceField(z.string().min(1, 'must not be empty.'));

/** Where a value comes from that is a secret as a whole: it must not stand in the configuration at all. */
export const secretReferenceField = z.union([fromEnvironment, fromFile], {
  error: 'must be { env: "NAME" } or { file: "path" }: it is a secret as a whole.',
});
