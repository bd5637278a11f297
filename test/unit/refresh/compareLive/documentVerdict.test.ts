import { describe, expect, it } from 'vitest';
import { judgeDocument, type DocumentCase } from '../../../../src/refresh/compareLive/documentVerdict.js';

const document = { id: 7, title: 'An owl', mature: false };
const nobody = { isListed: false, wasListed: false, isMarked: false, wasMarked: false };
const right: DocumentCase = {
  row: { kind: 'indexed', document },
  main: document,
  filtered: document,
  isMatched: false,
  isRejected: false,
  areTermsChanged: false,
  facts: nobody,
};
const judge = (found: Partial<DocumentCase>): string[] =>
  judgeDocument({ ...right, ...found }).map(({ index, kind, fields }) => [index, kind, ...fields].join(' '));
const stale = { ...document, title: 'An old owl' };
const mature = { ...document, mature: true };
const listed = { ...nobody, isListed: true };

describe('what is said of a document', () => {
  it.each<[string, Partial<DocumentCase>, string[]]>([
    ['as it should be', {}, []],
    ['no filtered index', { filtered: undefined }, []],
    ['with a term, in the main index alone', { isMatched: true, filtered: null }, []],
    ['with a term, in both', { isMatched: true }, ['filtered filteredSensitive']],
    [
      'with a term of a list that is another one since',
      { isMatched: true, areTermsChanged: true },
      ['filtered termsChanged'],
    ],
    ['not in the filtered index', { filtered: null }, ['filtered filteredMissing']],
    ['a term less since', { filtered: null, areTermsChanged: true }, ['filtered termsChanged']],
    ['in neither index', { main: null, filtered: null }, ['main documentMissing']],
    ['in the filtered index alone', { main: null }, ['main documentMissing']],
    ['refused, as the run knows', { main: null, filtered: null, isRejected: true }, ['main rejected']],
    ['refused by an earlier run only', { isRejected: true }, []],
    [
      'stale in the main index, its terms are not known',
      { main: stale, isMatched: true },
      ['main documentChanged title'],
    ],
    ['stale in the filtered index', { filtered: stale }, ['filtered filteredChanged title']],
    ['mature, and nobody marked it', { main: mature }, ['main documentChanged mature']],
    [
      'whose mark was taken back since',
      { main: mature, filtered: mature, facts: { ...nobody, wasMarked: true } },
      ['main markChanged mature', 'filtered markChanged mature'],
    ],
    [
      'whose mark changed, and something else',
      { main: { ...stale, mature: true }, facts: { ...nobody, isMarked: true } },
      ['main documentChanged mature title'],
    ],
    ['without a row', { row: { kind: 'absent' } }, ['main documentExtra', 'filtered filteredExtra']],
    [
      'of a record that the API deleted since',
      { row: { kind: 'absent' }, facts: listed },
      ['main deletedDocumentKept', 'filtered deletedDocumentKept'],
    ],
    [
      'of a record that the run knew as deleted',
      { row: { kind: 'left out' }, filtered: null, facts: { ...listed, wasListed: true } },
      ['main documentExtra'],
    ],
    [
      'missing, its deletion was withdrawn since',
      { main: null, filtered: null, facts: { ...nobody, wasListed: true } },
      ['main deletionWithdrawn'],
    ],
    [
      'no document can be made, and there is none',
      { row: { kind: 'unbuildable' }, main: null, filtered: null },
      ['main documentMissing'],
    ],
  ])('%s', (_, found, said) => {
    expect(judge(found)).toEqual(said);
  });
});
