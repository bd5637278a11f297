import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FreshetError } from '../../../src/errors.js';
import { lockRetryDelayMsMax } from '../../../src/limits.js';
import { retryDelayMs } from '../../../src/postgres/lockRetry.js';
import { assertIdsFit, firstNewId, type IdSequence } from '../../../src/postgres/sequences.js';
import { grantStatements } from '../../../src/postgres/shape/grants.js';
import type { Grant } from '../../../src/postgres/shape/types.js';
import { renameStatements, replaceViewStatement } from '../../../src/postgres/swapStatements.js';
import { optionList, tempTableStatements } from '../../../src/postgres/tempTable.js';

const table = { schema: 'public', name: 'image' };
const right = (privilege: string, overrides: Partial<Grant> = {}): Grant => ({
  column: null,
  grantee: 'api',
  privilege,
  grantable: false,
  ...overrides,
});

describe('grants', () => {
  test('equal rights need no statement', () => {
    expect(grantStatements(table, [right('SELECT')], [right('SELECT')])).toEqual([]);
  });

  test('what is missing is granted, what is too much is revoked, on table and columns', () => {
    const wanted = [
      right('SELECT', { grantable: true }),
      right('UPDATE', { column: 'a"b' }),
      right('INSERT', { grantee: null }),
    ];
    expect(grantStatements(table, [right('SELECT'), right('DELETE')], wanted)).toEqual([
      'revoke DELETE on table "public"."image" from "api"',
      'grant SELECT on table "public"."image" to "api" with grant option',
      'grant UPDATE ("a""b") on table "public"."image" to "api"',
      'grant INSERT on table "public"."image" to public',
    ]);
  });

  test('a grant option that is too much is taken back and the right given again', () => {
    expect(grantStatements(table, [right('SELECT', { grantable: true })], [right('SELECT')])).toEqual([
      'revoke SELECT on table "public"."image" from "api"',
      'grant SELECT on table "public"."image" to "api"',
    ]);
  });
});

describe('ids', () => {
  const ids = (values: Partial<IdSequence>): IdSequence => ({
    sequence: { schema: 'public', name: 'image_id_seq' },
    lastValue: 1n,
    isCalled: false,
    maxValue: 2n ** 31n - 1n,
    typeMax: 2n ** 31n - 1n,
    maxId: null,
    previousMaxId: null,
    ...values,
  });
  const id = fc.option(fc.bigInt(1n, 2n ** 40n), { nil: null });

  test('the first new id of an empty table is 1', () => {
    expect(firstNewId(ids({}))).toBe(1n);
    expect(firstNewId(ids({ sequence: null, lastValue: null }))).toBe(1n);
  });

  test('D13: a new id is above everything that was ever given', () => {
    fc.assert(
      fc.property(id, fc.boolean(), id, id, (lastValue, isCalled, maxId, previousMaxId) => {
        const first = firstNewId(ids({ lastValue, isCalled, maxId, previousMaxId }));
        for (const given of [maxId, previousMaxId, isCalled ? lastValue : null]) {
          if (given !== null) expect(first).toBeGreaterThan(given);
        }
      }),
    );
  });

  test('ids that reach exactly the maximum fit; one more does not, nor one above the sequence', () => {
    const typeMax = 2n ** 31n - 1n;
    expect(() => {
      assertIdsFit({ first: typeMax - 9n, expectedNew: 10n, typeMax });
    }).not.toThrow();
    expect(() => {
      assertIdsFit({ first: typeMax - 9n, expectedNew: 11n, typeMax });
    }).toThrow(FreshetError);
    expect(() => {
      assertIdsFit({ first: 95n, expectedNew: 10n, typeMax }, ids({ maxValue: 100n }));
    }).toThrow(/100 is the largest possible/);
  });
});

describe('statements', () => {
  test('live names are free before they are taken', () => {
    const index = { tempName: 't1', liveName: 'image_pkey' } as Parameters<
      typeof renameStatements
    >[0]['indexes'][number];
    const statements = renameStatements({
      live: table,
      temp: { schema: 'public', name: 'temp_import_image' },
      previousName: 'previous',
      indexes: [index],
      swappedIndexes: [{ liveName: 'image_pkey', previousName: 'p1' }],
    });
    expect(statements).toEqual([
      'alter index "public"."image_pkey" rename to "p1"',
      'alter table "public"."image" rename to "previous"',
      'alter index "public"."t1" rename to "image_pkey"',
      'alter table "public"."temp_import_image" rename to "image"',
    ]);
  });

  test('a view keeps its options, which replacing would reset', () => {
    const view = {
      oid: 1,
      owner: 'o',
      name: { schema: 's', name: 'V' },
      definition: ' SELECT 1;',
      options: ['security_barrier=true'],
    };
    expect(replaceViewStatement(view)).toBe(
      `create or replace view "s"."V" with ("security_barrier" = 'true') as  SELECT 1`,
    );
  });

  test('storage parameters are quoted, those of the TOAST table too', () => {
    expect(optionList(['fillfactor=70', 'toast.autovacuum_enabled=a=b'])).toBe(
      `"fillfactor" = '70', "toast"."autovacuum_enabled" = 'a=b'`,
    );
  });

  test('a declared addition whose type is more than a type is refused', () => {
    const shape = {
      columns: [],
      checks: [],
      options: [],
      accessMethod: null,
      tablespace: null,
      comment: null,
      owner: 'o',
    };
    const create = (type: string): string[] =>
      tempTableStatements(
        shape as unknown as Parameters<typeof tempTableStatements>[0],
        table,
        { added: type },
        'run-1',
      );
    expect(create('numeric(10, 3)[]').join()).toContain('"added" numeric(10, 3)[]');
    expect(create('timestamp(3) with time zone').join()).toContain('timestamp(3) with time zone');
    expect(() => create('int; drop table image')).toThrow(FreshetError);
    expect(() => create('int, b int')).toThrow(FreshetError);
  });

  test('the pause between two tries grows to its maximum and not beyond', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.double({ min: 0, max: 1, noNaN: true }), (tries, random) => {
        const ms = retryDelayMs(tries, () => random);
        expect(ms).toBeGreaterThan(0);
        expect(ms).toBeLessThanOrEqual(lockRetryDelayMsMax);
      }),
    );
  });
});
