import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readBulkAnswer } from '../../../src/indexing/bulkAnswer.js';

const done = { index: { status: 201 } };
const full = {
  index: { status: 429, error: { type: 'rejected_execution_exception', reason: 'queue full' } },
};
const bad = {
  index: {
    status: 400,
    error: {
      type: 'mapper_parsing_exception',
      reason: 'failed to parse',
      caused_by: { type: 'x', reason: 'no' },
    },
  },
};
const answer = (items: readonly object[]): string =>
  JSON.stringify({ errors: items.some((item) => item !== done), items });

describe('a bulk answer', () => {
  test('of successes is read without looking at each item', () => {
    expect(readBulkAnswer(answer([done, { index: { status: 200 } }]), 2)).toMatchObject({
      indexed: 2,
      again: [],
      rejected: [],
    });
  });

  test('every item ends as indexed, rejected or to be sent again, at its own position', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(done, full, bad), { minLength: 1 }), (items) => {
        const outcomes = readBulkAnswer(answer(items), items.length);
        expect(outcomes?.again).toEqual(items.flatMap((item, i) => (item === full ? [i] : [])));
        expect(outcomes?.rejected.map(({ position }) => position)).toEqual(
          items.flatMap((item, i) => (item === bad ? [i] : [])),
        );
        expect(outcomes?.indexed).toBe(items.filter((item) => item === done).length);
      }),
    );
  });

  test('names type, reason and cause of a reject', () => {
    expect(readBulkAnswer(answer([bad]), 1)?.rejected).toEqual([
      { position: 0, reason: 'mapper_parsing_exception: failed to parse; x: no' },
    ]);
  });

  test.each([
    ['cut', '{"errors":false,"items":[{"index":{"status":201}}'],
    ['of fewer items', answer([done])],
    ['of more items', answer([done, done, done])],
    ['without items', '{"errors":false}'],
    ['that is no JSON', '<html>502</html>'],
    ['that is empty', ''],
    ['that is another JSON', 'null'],
  ])('D4: that is %s tells nothing, so all is sent again', (_, text) => {
    expect(readBulkAnswer(text, 2)).toBeNull();
  });

  test('an item without a status was not answered: it is sent again', () => {
    expect(
      readBulkAnswer('{"errors":true,"items":[{"index":{}},{"index":{"status":201}}]}', 2),
    ).toMatchObject({
      again: [0],
      indexed: 1,
    });
  });

  test('an error that is not about the document is a refusal', () => {
    const item = {
      index: { status: 404, error: { type: 'index_not_found_exception', reason: 'no such index' } },
    };
    expect(readBulkAnswer(answer([item]), 1)?.refusal).toContain('no such index');
  });
});
