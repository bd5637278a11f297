import { describe, expect, test } from 'vitest';
import { selectSlice, type RowSelection } from '../../../src/indexing/sliceQuery.js';

const plain: RowSelection = {
  table: { schema: 'public', name: 'temp_import_image' },
  idColumn: 'id',
  columns: ['title'],
  removedColumn: null,
  deletedMediaTable: null,
  sensitiveMediaTable: null,
  runId: null,
};

describe('the query of a slice', () => {
  test('of blocks is a half-open range of tuple ids', () => {
    expect(selectSlice(plain, { kind: 'blocks', startBlock: 3, endBlock: 9 })).toBe(
      `select '-', t."id", t."title" from "public"."temp_import_image" t where t.ctid >= '(3,0)'::tid and t.ctid < '(9,0)'::tid`,
    );
  });

  test('of ids is inclusive, also beyond 2^53', () => {
    const sql = selectSlice(plain, { kind: 'ids', startId: -5n, endId: 2n ** 62n });
    expect(sql).toContain(`t."id" between -5 and 4611686018427387904`);
  });

  test('quotes every name and text that comes from outside', () => {
    const odd = `o"dd'`;
    const sql = selectSlice(
      {
        ...plain,
        table: { schema: odd, name: odd },
        idColumn: odd,
        columns: [odd],
        removedColumn: odd,
        deletedMediaTable: odd,
        runId: odd,
      },
      { kind: 'ids', startId: 1n, endId: 2n },
    );
    expect(sql.replaceAll(`"o""dd'"`, '').replaceAll(`'o"dd'''`, '')).not.toContain('dd');
  });
});
