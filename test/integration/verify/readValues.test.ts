import { describe, expect, inject, it } from 'vitest';
import { withSession } from '../../../src/postgres/session.js';
import { encodeField } from '../../../src/postgres/copyText.js';
import { readAsLiveTypes } from '../../../src/refresh/compareLive/readValues.js';

const session = { applicationName: 'test', called: 'API database' };
const bytes = (text: string | null): Buffer => Buffer.from(encodeField(text));

describe('a value that the catalog writes in another way than the live table', () => {
  it.each([
    ['numeric(10,2)', '1.5', '1.50'],
    ['double precision', '0.10', '0.1'],
    ['double precision', 'Infinity', 'Infinity'],
    ['boolean', 'true', 't'],
    ['timestamp with time zone', '2024-01-01T01:00:00+01:00', '2024-01-01 00:00:00+00'],
    ['timestamp with time zone', 'infinity', 'infinity'],
    ['jsonb', '{"b":1e2,"a":"x\\ty"}', '{"a": "x\\ty", "b": 100}'],
    ['integer[]', '{ 1, NULL }', '{1,NULL}'],
    ['character(3)', 'a', 'a  '],
    ['uuid', '00000000-0000-4000-8000-00000000000A', '00000000-0000-4000-8000-00000000000a'],
    ['integer', null, null],
  ])('%s: %s is %s', async (type, given, written) => {
    await withSession(inject('parts').apiUrl, session, async (api) => {
      await api.query(`set timezone = 'UTC'; set datestyle = 'ISO, YMD'`);
      const row = { fields: [bytes('kept'), bytes(given)], isChanged: false };
      await readAsLiveTypes(api, [row], { always: [{ place: 1, type }], whenChanged: [{ place: 0, type }] });
      expect(row.fields.map(String)).toEqual([bytes('kept'), bytes(written)].map(String));
    });
  });

  it('stays as it is where the column would refuse it, and others beside it are read', async () => {
    await withSession(inject('parts').apiUrl, session, async (api) => {
      const rows = ['01', 'one', '3'].map((text) => ({ fields: [bytes(text)], isChanged: true }));
      await readAsLiveTypes(api, rows, { always: [], whenChanged: [{ place: 0, type: 'integer' }] });
      expect(rows.map(({ fields }) => String(fields[0]))).toEqual(['1', 'one', '3']);
    });
  });
});
