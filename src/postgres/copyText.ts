/**
 * Postgres' COPY text format, as `copy … to stdout` writes it and `copy … from stdin` reads it: one line per row, fields parted by tabs,
 * `\N` for null. A newline or tab inside a value is always escaped, so bytes 0x0a and 0x09 are boundaries wherever they stand, in any
 * UTF-8 text. Source: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
 */

const newline = 0x0a;
const tab = 0x09;
const backslash = 0x5c;

/** Cuts a stream of chunks into complete lines. The lines are views of the chunks (no copy) unless a line spans chunks. */
export class CopyLineSplitter {
  #unfinished: Buffer[] = [];

  /** The lines that `chunk` completes, without their newline. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      lines.push(this.#finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#unfinished.push(chunk.subarray(start));
    return lines;
  }

  /** The last line where it had no newline, else null. COPY ends every line with one: a rest means that the stream was cut. */
  end(): Buffer | null {
    return this.#unfinished.length === 0 ? null : this.#finish(Buffer.alloc(0));
  }

  #finish(piece: Buffer): Buffer {
    if (this.#unfinished.length === 0) return piece;
    const line = Buffer.concat([...this.#unfinished, piece]);
    this.#unfinished = [];
    return line;
  }
}

/**
 * The lines of a COPY text stream, a batch per chunk, so that nothing is awaited per row. A last line without newline is given too:
 * a stream that broke off throws by itself.
 */
export async function* copyLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer[], void, undefined> {
  const splitter = new CopyLineSplitter();
  for await (const chunk of stream) {
    const lines = splitter.push(chunk);
    if (lines.length > 0) yield lines;
  }
  const rest = splitter.end();
  if (rest !== null) yield [rest];
}

/**
 * Where the fields of a line are: field `i` is the bytes from `bounds[i]` to `bounds[i + 1] - 1` (exclusive), so n fields give n + 1 numbers.
 * A line has at least one field, which may be empty. With `fieldsMax` only the first fields are looked for.
 */
export function fieldBounds(line: Buffer, fieldsMax = Infinity): number[] {
  const bounds = [0];
  for (let at = line.indexOf(tab); at >= 0; at = line.indexOf(tab, at + 1)) {
    bounds.push(at + 1);
    if (bounds.length > fieldsMax) return bounds;
  }
  bounds.push(line.length + 1);
  return bounds;
}

/** The text of the field in `line` from `start` to `end` (exclusive); null for `\N`. */
export function decodeField(line: Buffer, start: number, end: number): string | null {
  const field = line.subarray(start, end);
  if (!field.includes(backslash)) return field.toString('utf8');
  if (field.length === 2 && field[1] === 0x4e) return null;
  return unescapeBytes(field).toString('utf8');
}

/** All fields of a line as texts; `\N` is null. Cheaper than field by field: the line is decoded once. */
export function decodeFields(line: Buffer): (string | null)[] {
  const fields: (string | null)[] = line.toString('utf8').split('\t');
  for (let i = 0; i < fields.length; i += 1) {
    const field = fields[i] as string;
    if (field === '\\N') fields[i] = null;
    else if (field.includes('\\')) fields[i] = unescapeText(field);
  }
  return fields;
}

const escapedLetters: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Escapes of a text. COPY TO writes letters and `\\` only; numeric ones stand for bytes, so a text with them goes the way of bytes. */
function unescapeText(field: string): string {
  if (/\\[0-7x]/.test(field)) return unescapeBytes(Buffer.from(field)).toString('utf8');
  return field.replace(/\\(.)/gsu, (_, letter: string) => escapedLetters[letter] ?? letter);
}

function unescapeBytes(field: Buffer): Buffer {
  const bytes = Buffer.alloc(field.length);
  let length = 0;
  let at = 0;
  while (at < field.length) {
    const escape = field[at] === backslash && at + 1 < field.length ? readEscape(field, at + 1) : null;
    bytes[length] = escape === null ? (field[at] as number) : escape.byte;
    length += 1;
    at = escape === null ? at + 1 : escape.next;
  }
  return bytes.subarray(0, length);
}

/** The byte that the escape whose first character after the backslash stands at `at` means, and where it ends. */
function readEscape(field: Buffer, at: number): { byte: number; next: number } {
  const octal = /^[0-7]{1,3}/.exec(field.toString('latin1', at, at + 3))?.[0];
  if (octal !== undefined) return { byte: parseInt(octal, 8) & 0xff, next: at + octal.length };
  const hex = /^x([0-9a-f]{1,2})/i.exec(field.toString('latin1', at, at + 3))?.[1];
  if (hex !== undefined) return { byte: parseInt(hex, 16), next: at + 1 + hex.length };
  const letter = String.fromCharCode(field[at] as number);
  return { byte: (escapedLetters[letter] ?? letter).charCodeAt(0), next: at + 1 };
}

const toEscape = /[\\\b\f\n\r\t\v]/g;
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** A value as COPY FROM reads it; null gives `\N`. A NUL character stays: Postgres refuses it, as it does in any text. */
export function encodeField(text: string | null): string {
  if (text === null) return '\\N';
  return text.replace(toEscape, (character) => escapes[character] ?? character);
}
