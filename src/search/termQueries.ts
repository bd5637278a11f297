import { FreshetError } from '../errors.js';
import { analyzeCharsMax, queryClausesMax, queryWordsMax } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { isRecord } from './mark.js';
import { requireIndex } from './readIndex.js';
import type { TermList } from './terms.js';

/**
 * Which queries find the documents with sensitive terms. A term that the analysis turns into one word is looked up as that word, thousands in
 * one clause; one of several words is a phrase of its own, and those are limited by the engines' number of clauses. 100,000 single words are
 * a dozen queries that way instead of 334.
 */

/** Terms as they are searched for in fields with the same analysis. */
export interface AnalysedTerms {
  /** Full names of the `raw` sub-fields. */
  readonly fields: readonly string[];
  /** Analysed words. */
  readonly words: readonly string[];
  /** Terms of more than one word, as text: the engine analyses it again. */
  readonly phrases: readonly string[];
  /** Terms of which the analysis leaves nothing, such as `!!!`: they can match no document. */
  readonly ignored: number;
}

/** Analyses all terms by the `raw` sub-fields of `fields`, once per kind of analysis. */
export async function analyseTerms(
  client: SearchClient,
  index: string,
  fields: readonly string[],
  terms: TermList,
  signal?: AbortSignal,
): Promise<AnalysedTerms[]> {
  const { mappings } = await requireIndex(client, index);
  const groups = new Map<string, string[]>();
  for (const field of fields) {
    const analyzer = analyzerOf(mappings, index, field);
    groups.set(analyzer, [...(groups.get(analyzer) ?? []), `${field}.raw`]);
  }
  const analysed: AnalysedTerms[] = [];
  for (const [analyzer, rawFields] of groups) {
    analysed.push({ fields: rawFields, ...(await analyseBy(client, index, analyzer, terms, signal)) });
  }
  return analysed;
}

/** The analyzer that searches of `<field>.raw` use. A field without that sub-field would silently match nothing. */
function analyzerOf(mappings: Readonly<Record<string, unknown>>, index: string, field: string): string {
  let place: unknown = mappings;
  for (const name of field.split('.')) place = child(child(place, 'properties'), name);
  const raw = child(child(place, 'fields'), 'raw');
  if (!isRecord(raw)) {
    throw new FreshetError('FILTERED_INDEX_FAILED', `The field ${field} of ${index} has no sub-field raw.`, {
      index,
    });
  }
  const analyzer = raw['search_analyzer'] ?? raw['analyzer'];
  return typeof analyzer === 'string' ? analyzer : 'default';
}

function child(place: unknown, name: string): unknown {
  return isRecord(place) ? place[name] : undefined;
}

async function analyseBy(
  client: SearchClient,
  index: string,
  analyzer: string,
  terms: TermList,
  signal: AbortSignal | undefined,
): Promise<Omit<AnalysedTerms, 'fields'>> {
  const words = new Set<string>();
  const phrases = new Map<string, string>();
  let ignored = 0;
  for (const batch of batchesOf(terms)) {
    const tokens = await analyse(client, index, analyzer, batch, signal);
    for (const [position, term] of batch.entries()) {
      const found = tokens[position] ?? [];
      if (found.length === 0) ignored += 1;
      else if (found.length === 1) words.add(found[0] ?? '');
      else phrases.set(found.join('\0'), term);
    }
  }
  return { words: [...words], phrases: [...phrases.values()], ignored };
}

function* batchesOf(terms: TermList): Generator<string[]> {
  let batch: string[] = [];
  let chars = 0;
  for (const term of terms) {
    if (chars + term.length > analyzeCharsMax && batch.length > 0) {
      yield batch;
      batch = [];
      chars = 0;
    }
    batch.push(term);
    chars += term.length;
  }
  if (batch.length > 0) yield batch;
}

interface Token {
  readonly token: string;
  readonly start_offset: number;
}

/** The words of each term. The engine returns one list for all; a word's offset in UTF-16 units, with one between terms, tells its term. */
async function analyse(
  client: SearchClient,
  index: string,
  analyzer: string,
  batch: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[][]> {
  const { body } = await callEngine<{ tokens: readonly Token[] }>(client, {
    method: 'POST',
    path: [index, '_analyze'],
    body: { analyzer, text: batch },
    what: 'analysing sensitive terms',
    isSecret: true,
    repeatable: true,
    signal,
  });
  const words = batch.map((): string[] => []);
  let position = 0;
  let end = batch[0]?.length ?? 0;
  for (const { token, start_offset: offset } of body.tokens) {
    while (offset > end && position + 1 < batch.length) {
      position += 1;
      end += 1 + (batch[position]?.length ?? 0);
    }
    words[position]?.push(token);
  }
  return words;
}

/** A query for some of the terms. */
export interface TermQuery {
  readonly terms: number;
  readonly query: object;
  /** Tells how many pages of hits it had: the next ones become larger or smaller, so that most have about one page. */
  readonly answered: (pages: number) => void;
}

const wordsAtFirst = 500;
const wordsMin = 50;

/** The queries for all the terms, made when they are asked for. */
export function* termQueries(groups: readonly AnalysedTerms[]): Generator<TermQuery, undefined> {
  let wordsPerQuery = wordsAtFirst;
  const answered = (pages: number): void => {
    // Each page costs a look-up of all the query's words again.
    if (pages <= 1) wordsPerQuery = Math.min(wordsPerQuery * 2, queryWordsMax);
    else if (pages > 4) wordsPerQuery = Math.max(Math.floor(wordsPerQuery / 2), wordsMin);
  };
  for (const { fields, words, phrases } of groups) {
    for (let next = 0; next < words.length;) {
      const some = words.slice(next, next + wordsPerQuery);
      next += some.length;
      yield {
        terms: some.length,
        query: anyOf(fields.map((field) => ({ terms: { [field]: some } }))),
        answered,
      };
    }
    const phrasesPerQuery = Math.max(1, Math.floor(queryClausesMax / fields.length));
    for (let next = 0; next < phrases.length; next += phrasesPerQuery) {
      const some = phrases.slice(next, next + phrasesPerQuery);
      const clauses = fields.flatMap((field) =>
        some.map((phrase) => ({ match_phrase: { [field]: phrase } })),
      );
      yield { terms: some.length, query: anyOf(clauses), answered: () => undefined };
    }
  }
  return undefined;
}

function anyOf(clauses: readonly object[]): object {
  return { bool: { filter: [{ bool: { should: clauses, minimum_should_match: 1 } }] } };
}
