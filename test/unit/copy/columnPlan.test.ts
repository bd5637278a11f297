import { describe, expect, test } from 'vitest';
import type { TableMapping } from '../../../src/config/types.js';
import { planColumns } from '../../../src/copy/columnPlan.js';
import type { Relation, RelationColumn } from '../../../src/copy/relations.js';
import { isSorted, selectKeys, selectRows } from '../../../src/copy/scanQueries.js';
import { mappingOf } from '../../integration/copy/media.js';

function relation(database: Relation['database'], columns: readonly (string | RelationColumn)[]): Relation {
  const shapes = columns.map((column) =>
    typeof column === 'string'
      ? { name: column, type: 'text', baseType: 'text', notNull: false, hasDefault: false, generated: false }
      : column,
  );
  return {
    name: { schema: 'public', name: 'thing' },
    called: 'thing',
    database,
    hasScanOrder: true,
    columns: new Map(shapes.map((shape) => [shape.name, shape])),
    uniqueColumns: [],
    rowsEstimated: 0,
  };
}

const plan = (
  upstream: string[],
  live: string[],
  changes: Partial<TableMapping> = {},
  tagColumn: string | null = null,
) =>
  planColumns(
    mappingOf('thing', ['k'], changes),
    tagColumn,
    relation('catalog', upstream),
    relation('API database', live),
  );

const names = (columns: readonly { readonly name: string }[]): string[] =>
  columns.map((column) => column.name);

describe('planColumns', () => {
  test('key columns come first, then what may change, then the rest of the intersection', () => {
    const planned = plan(
      ['a', 'tags', 'k', 'url', 'x'],
      ['id', 'k', 'a', 'url', 'tags', 'y'],
      { addUrlSchemesTo: ['url'] },
      'tags',
    );
    expect(names(planned.narrow)).toEqual(['k']);
    expect(names(planned.wide)).toEqual(['tags', 'url', 'a']);
    expect(planned).toMatchObject({ dropped: ['x'], defaulted: ['y'] });
  });

  test('a rename wins over an upstream column that has the downstream name already', () => {
    const planned = plan(['k', 'old', 'new'], ['id', 'k', 'new'], { renames: { old: 'new' } });
    expect(planned.wide.map((column) => column.expression)).toEqual(['"old"']);
    expect(planned.dropped).toEqual(['new']);
  });

  test('a declared addition is copied where upstream has it, else it is reported', () => {
    const addedColumns = { popularity: 'double precision', other: 'text' };
    const planned = plan(['k', 'popularity'], ['id', 'k'], { addedColumns });
    expect(names(planned.wide)).toEqual(['popularity']);
    expect(planned.defaulted).toEqual(['other']);
  });

  test('a kept column comes from the live row, whatever upstream has', () => {
    const planned = plan(['k', 'views'], ['id', 'k', 'views'], { keptColumns: { views: '0', absent: '1' } });
    expect(planned.kept).toEqual([{ name: 'views', default: '0', type: 'text', isLive: true }]);
    expect(planned.wide).toEqual([]);
    expect(planned.dropped).toEqual(['views']);
  });

  test('an id that upstream has is not copied', () => {
    expect(plan(['id', 'k'], ['id', 'k'])).toMatchObject({ wide: [], dropped: ['id'], defaulted: [] });
  });

  test('identifier is read with the key where deleted records are left out', () => {
    const planned = plan(['k', 'identifier'], ['id', 'k', 'identifier'], { deletedMediaTable: 'gone' });
    expect(names(planned.narrow)).toEqual(['k', 'identifier']);
  });

  test('created_on and updated_on are the time of the copy where upstream lacks them', () => {
    const planned = plan(['k', 'created_on'], ['id', 'k', 'created_on', 'updated_on']);
    expect(planned.wide.map((column) => column.expression)).toEqual(['"created_on"', 'pg_catalog.now()']);
  });

  test.each<[string, string[], string[], Partial<TableMapping>, string]>([
    ['key', ['a'], ['id', 'k'], {}, 'catalog has no column k'],
    ['key', ['k'], ['id'], {}, 'API database has no column k'],
    ['required', ['k'], ['id', 'k', 'r'], { requiredColumns: ['r'] }, 'catalog has no column r'],
    [
      'required and renamed',
      ['k'],
      ['id', 'k', 'r'],
      { requiredColumns: ['r'], renames: { old: 'r' } },
      'catalog has no column old',
    ],
    ['id', ['k'], ['k'], {}, 'API database has no column id'],
  ])('a %s column that a side lacks is named', (_, upstream, live, changes, message) => {
    expect(() => plan(upstream, live, changes)).toThrow(message);
  });

  test('URL schemes cannot be added to a key column: records would lose their ids', () => {
    expect(() => plan(['k'], ['id', 'k'], { addUrlSchemesTo: ['k'] })).toThrow('key column');
  });
});

describe('scans', () => {
  const upstream = relation('catalog', ['k', 'a"b']);
  const planned = planColumns(
    mappingOf('thing', ['k']),
    null,
    upstream,
    relation('API database', ['id', 'k', 'a"b']),
  );

  test('a table is read in its own order', () => {
    const scan = { upstream, plan: planned, recordLimit: null };
    expect(selectKeys(scan)).toBe('select "k" from "public"."thing"');
    expect(selectRows(scan)).toBe('select "k", "a""b" from "public"."thing"');
    expect(isSorted(scan)).toBe(false);
  });

  test('a view and a limit are read in the order of the key, texts by their bytes', () => {
    const view = { upstream: { ...upstream, hasScanOrder: false }, plan: planned, recordLimit: null };
    expect(selectKeys(view)).toBe('select "k" from "public"."thing" order by "k" collate "C"');
    const limited = { upstream, plan: planned, recordLimit: 5 };
    expect(selectKeys(limited)).toBe('select "k" from "public"."thing" order by "k" collate "C" limit 5');
  });
});
