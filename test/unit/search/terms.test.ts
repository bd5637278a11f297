import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { TermList } from '../../../src/search/terms.js';
import { parseTerms } from '../../../src/search/terms.js';

const parse = (text: string | Uint8Array): TermList =>
  parseTerms(typeof text === 'string' ? new TextEncoder().encode(text) : text);

describe('a list of sensitive terms', () => {
  it('has one term per line, whatever the line ends, without blank lines, blanks around and a byte order mark', () => {
    expect([...parse('\uFEFFone\r\ntwo words \n\n\t\rthree\n')]).toEqual(['one', 'two words', 'three']);
  });

  it('keeps a term once and counts the repeats', () => {
    const terms = parse('a\nb\na\n');
    expect([...terms]).toEqual(['a', 'b']);
    expect(terms.duplicates).toBe(1);
  });

  it.each<[string, string | Uint8Array]>([
    ['a web page', '<!DOCTYPE html>\n<html>'],
    ['bytes that are no UTF-8', new Uint8Array([0x61, 0xff, 0x0a])],
    ['control characters', 'a\0b'],
    ['a line of more than 500 characters', `short\n${'x'.repeat(501)}`],
  ])('%s is refused', (_name, content) => {
    expect(() => parse(content)).toThrow(expect.objectContaining({ code: 'TERMS_UNUSABLE' }));
  });

  it('D42: shows its text neither printed nor serialised nor inspected nor in an error', () => {
    const terms = parse('secretword\n');
    for (const shown of [
      `${terms.toString()}`,
      JSON.stringify({ terms }),
      inspect({ terms }, { depth: 5, showHidden: true }),
    ]) {
      expect(shown).not.toContain('secretword');
    }
    expect(() => parse(`secretword${'x'.repeat(500)}`)).toThrow(/^((?!secretword).)*$/);
  });

  it('has a digest that changes with it', () => {
    expect(parse('a\nb').digest).toBe(parse('a\r\nb\n').digest);
    expect(parse('a\nb').digest).not.toBe(parse('a\nc').digest);
  });
});
