import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { inspect } from 'node:util';
import { FreshetError } from '../errors.js';
import { termCharsMax, termsBytesMax, termsMax, termsTimeoutMs } from '../limits.js';
import { fetchFailure, withoutCredentials } from '../webRequest.js';

/**
 * Sensitive terms. Holds its text so that it gets into no log, error or state by accident: printed, serialised or inspected it is its size and
 * digest only.
 */
export class TermList implements Iterable<string> {
  readonly #terms: readonly string[];
  /** Changes whenever the list does: ranges that were finished with another list must be copied again. */
  readonly digest: string;

  constructor(
    terms: readonly string[],
    /** Lines that repeat an earlier one. */
    readonly duplicates = 0,
  ) {
    this.#terms = [...terms];
    this.digest = createHash('sha256').update(terms.join('\n')).digest('hex').slice(0, 16);
  }

  get count(): number {
    return this.#terms.length;
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#terms[Symbol.iterator]();
  }

  toJSON(): { count: number; digest: string } {
    return { count: this.count, digest: this.digest };
  }

  toString(): string {
    return `${this.count} terms (${this.digest})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

export interface TermsSource {
  /** Path of a file, or http(s) URL; user and password in it are sent, never shown. */
  readonly from: string;
  /** Whether a list without any term is meant; else it is an error, because it would make everything visible. */
  readonly allowEmpty: boolean;
  readonly signal?: AbortSignal;
}

/** Loads a list of terms, one per line. Throws TERMS_UNUSABLE, which shows neither the list nor a secret of the URL. */
export async function loadTerms({ from, allowEmpty, signal }: TermsSource): Promise<TermList> {
  const place = placeOf(from);
  const bytes = /^https?:/i.test(from)
    ? await readUrl(new URL(from), place, signal)
    : await collect(createReadStream(from, { signal }), place);
  const terms = parseTerms(bytes, place);
  if (terms.count === 0 && !allowEmpty)
    throw unusable(place, 'holds no term, so that nothing would be filtered');
  return terms;
}

/** The terms in the bytes of a list: UTF-8, with or without BOM, any line ends, surrounding blanks and empty lines ignored. Pure. */
export function parseTerms(bytes: Uint8Array, place = 'The list'): TermList {
  const lines = decode(bytes, place)
    .split(/\r\n|[\n\r]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (/^<(!doctype|html|\?xml)/i.test(lines[0] ?? '')) throw unusable(place, 'is a web page');
  const terms = new Set(lines);
  if (terms.size > termsMax) throw unusable(place, `has ${terms.size} terms; ${termsMax} are possible`);
  const long = lines.findIndex((line) => line.length > termCharsMax);
  if (long >= 0) {
    throw unusable(
      place,
      `has a term of ${lines[long]?.length} characters (non-empty line ${long + 1}); ${termCharsMax} are possible`,
    );
  }
  return new TermList([...terms], lines.length - terms.size);
}

function decode(bytes: Uint8Array, place: string): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable(place, 'is not UTF-8 text');
  }
  // eslint-disable-next-line no-control-regex -- a list with control characters is another kind of file
  if (/[\0-\x08\x0e-\x1f]/.test(text))
    throw unusable(place, 'holds control characters: it is not a text file');
  return text;
}

async function readUrl(url: URL, place: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const limit = AbortSignal.timeout(termsTimeoutMs);
  try {
    const request = withoutCredentials(url);
    const answer = await fetch(request.url, {
      headers: request.headers,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    if (!answer.ok) throw unusable(place, `answers with HTTP ${answer.status}`);
    if (/html/i.test(answer.headers.get('content-type') ?? '')) throw unusable(place, 'is a web page');
    return answer.body === null ? new Uint8Array() : await collect(answer.body, place);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof FreshetError) throw error;
    throw unusable(
      place,
      limit.aborted ? `did not answer within ${termsTimeoutMs} ms` : `cannot be read: ${fetchFailure(error)}`,
    );
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>, place: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.byteLength;
      if (bytes > termsBytesMax) throw unusable(place, `is larger than ${termsBytesMax} bytes`);
      parts.push(chunk);
    }
  } catch (error) {
    if (isFileError(error)) throw unusable(place, `cannot be read: ${error.code}`);
    throw error;
  }
  return Buffer.concat(parts);
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** Where the list comes from, without user, password and query of a URL. */
function placeOf(from: string): string {
  if (!/^https?:/i.test(from)) return `The list of sensitive terms ${from}`;
  if (!URL.canParse(from)) throw unusable('The URL of the list of sensitive terms', 'is not valid');
  const { origin, pathname } = new URL(from);
  return `The list of sensitive terms at ${origin}${pathname}`;
}

function unusable(place: string, fault: string): FreshetError {
  return new FreshetError('TERMS_UNUSABLE', `${place} ${fault}.`);
}
