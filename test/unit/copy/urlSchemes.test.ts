import { expect, test } from 'vitest';
import { addUrlScheme } from '../../../src/copy/urlSchemes.js';

test.each([
  ['example.org/a', 'https://example.org/a'],
  ['example.org:8080/a', 'https://example.org:8080/a'],
  ['//example.org/a', 'https://example.org/a'],
  ['example.org/?next=http://b', 'https://example.org/?next=http://b'],
])('%s becomes %s', (url, completed) => {
  expect(addUrlScheme(url)).toBe(completed);
});

test.each([
  'http://a',
  'https://a',
  'HTTP://a',
  'ftp://a',
  'mailto:a@b',
  'data:text/plain,a',
  '',
  ' ',
  ' example.org',
])('%j stays as it is', (url) => {
  expect(addUrlScheme(url)).toBe(url);
});
