import type { Document } from './documents.js';

/** Sensitive terms: whole words, lower case, no stems; several words are a phrase within one value. */

const words = new Intl.Segmenter('en', { granularity: 'word' });

function wordsOf(text: string): string[] {
  return [...words.segment(text)]
    .filter(({ isWordLike }) => isWordLike === true)
    .map(({ segment }) => segment.toLowerCase());
}

export function hasTerm(document: Document, terms: readonly string[]): boolean {
  const tags = (document['tags'] ?? []) as readonly { readonly name: string }[];
  const texts = [document['title'], document['description'], ...tags.map(({ name }) => name)];
  const values = texts.filter((text) => typeof text === 'string').map(wordsOf);
  return terms.some((term) => {
    const phrase = wordsOf(term);
    return phrase.length > 0 && values.some((value) => contains(value, phrase));
  });
}

function contains(value: readonly string[], phrase: readonly string[]): boolean {
  return value.some((_word, at) => phrase.every((word, place) => value[at + place] === word));
}
