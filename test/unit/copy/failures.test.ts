import { describe, expect, test } from 'vitest';
import { explainFailure } from '../../../src/copy/failures.js';
import { FreshetError } from '../../../src/errors.js';

const failure = (message: string, fields: Record<string, string> = {}): Error =>
  Object.assign(new Error(message), fields);
const explain = (error: unknown) =>
  explainFailure(error, { database: 'API database', table: 'image', keyOfRow: (row) => `key ${row}` });

describe('explainFailure', () => {
  test.each([
    ['53100', {}, 'NO_SPACE'],
    ['57P01', {}, 'SESSION_LOST'],
    ['08006', {}, 'SESSION_LOST'],
    ['ECONNRESET', {}, 'SESSION_LOST'],
    ['EPIPE', {}, 'SESSION_LOST'],
    ['42501', {}, 'STATEMENT_REFUSED'],
    ['22001', { where: 'COPY temp_import_image, line 5, column title: "x"' }, 'COPY_VALUE_REFUSED'],
    ['23502', { where: 'COPY temp_import_image, line 5: "x"', column: 'title' }, 'COPY_VALUE_REFUSED'],
    ['22001', {}, 'STATEMENT_REFUSED'],
  ])('%s with %j is %s', (code, fields, expected) => {
    expect(explain(failure('what happened', { code, ...fields })).code).toBe(expected);
  });

  test('a refused value is told with its column, its record and what Postgres says', () => {
    const where = 'COPY temp_import_image, line 5, column a, "b": "some: \\"value\\""';
    const { message, details } = explain(failure('value too long', { code: '22001', where }));
    expect(message).toBe('image in the API database refused the a, "b" of the record key 5: value too long');
    expect(details).toMatchObject({ column: 'a, "b"', key: 'key 5', row: 5 });
  });

  test('a connection that ended is a passing fault; a fault of ours is not taken for one', () => {
    expect(explain(failure('Connection terminated unexpectedly')).code).toBe('SESSION_LOST');
    expect(explain(new TypeError('x is not a function')).code).toBe('INTERNAL');
  });

  test('an error that is explained already stays', () => {
    const known = new FreshetError('EMPTY_CATALOG', 'empty');
    expect(explain(known)).toBe(known);
  });
});
