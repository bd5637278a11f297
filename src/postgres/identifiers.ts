import { FreshetError } from '../errors.js';
import { identifierBytesMax } from '../limits.js';
import { digestOf, fitName } from './names.js';

/** A table, view, index or sequence: schema and name, unquoted. */
export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

/** Quotes an identifier for SQL text. Throws where Postgres would shorten it silently. */
export function quoteIdentifier(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > identifierBytesMax || name.includes('\0')) {
    throw new FreshetError(
      'NAME_INVALID',
      `${JSON.stringify(name)} cannot be a Postgres name: it has ${bytes} bytes; 1 to ${identifierBytesMax} are possible.`,
    );
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a text for SQL, whatever standard_conforming_strings says. For values of statements that take no parameters only. */
export function quoteLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''");
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

/** `name` or `schema.name` as configuration writes it; the schema defaults to `public`. Names with dots need the object form. */
export function parseQualifiedName(text: string): QualifiedName {
  const dot = text.indexOf('.');
  return dot < 0
    ? { schema: 'public', name: text }
    : { schema: text.slice(0, dot), name: text.slice(dot + 1) };
}

/** `"schema"."name"`. */
export function quoteQualified({ schema, name }: QualifiedName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** The temp table that a run builds beside `live`: `temp_import_<name>`; a name that would be too long is cut and gets a digest of the whole. */
export function tempTableOf(live: QualifiedName): QualifiedName {
  const whole = `temp_import_${live.name}`;
  const fits = Buffer.byteLength(whole) <= identifierBytesMax;
  return {
    schema: live.schema,
    name: fits ? whole : fitName('temp_import_', live.name, `_${digestOf(live.name)}`),
  };
}
