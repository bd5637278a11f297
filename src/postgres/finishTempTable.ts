import { FreshetError } from '../errors.js';
import { quoteQualified, tempTableOf, type QualifiedName } from './identifiers.js';
import { withSession, type Session } from './session.js';
import { diffShapes, type DiffOptions } from './shape/diff.js';
import { describeTable, type TableShape } from './tableShape.js';

/**
 * `VACUUM (FREEZE, ANALYZE)`: the promoted table has statistics, no reader has to set hint bits, and no autovacuum against wraparound
 * meets it soon. SHAPE_DIFFERS where the table is gone.
 */
export async function vacuumTempTable(url: string, oid: number): Promise<void> {
  await withSession(url, { applicationName: 'freshet vacuum', called: 'API database' }, async (session) => {
    const { rows } = await session.query<QualifiedName>(
      'select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1',
      [oid],
    );
    const [name] = rows;
    if (name === undefined)
      throw new FreshetError('SHAPE_DIFFERS', `The temp table with oid ${oid} is gone.`);
    await session.query(`vacuum (freeze, analyze) ${quoteQualified(name)}`);
  });
}

/**
 * Names for the comparison: a key of the temp table among tables that swap together points at another temp table, which stands for the
 * live table whose temp table it is.
 */
function liveNames(live: TableShape, temp: TableShape): DiffOptions['nameOf'] {
  const liveByTemp = new Map(
    [live.name, ...live.outboundKeys.map(({ target }) => target)].map((name) => [
      quoteQualified(tempTableOf(name)),
      quoteQualified(name),
    ]),
  );
  liveByTemp.set(quoteQualified(temp.name), quoteQualified(live.name));
  return (_oid, name) => liveByTemp.get(quoteQualified(name)) ?? quoteQualified(name);
}

/**
 * How `tempName` differs from `liveName` by the catalog, one sentence each; empty = they are the same. What only moves in the swap
 * (`scope: 'temp'` of `DiffOptions`) is no difference. Works on any two tables.
 */
export async function diffTables(
  session: Session,
  liveName: QualifiedName,
  tempName: QualifiedName,
  declaredAdditions: readonly string[],
): Promise<string[]> {
  const [live, temp] = [await describeTable(session, liveName), await describeTable(session, tempName)];
  return diffWithTemp(live, temp, declaredAdditions);
}

/** `diffTables` of two tables that were read already. Pure. */
export function diffWithTemp(
  live: TableShape,
  temp: TableShape,
  declaredAdditions: readonly string[],
): string[] {
  return diffShapes(live, temp, { declaredAdditions, scope: 'temp', nameOf: liveNames(live, temp) });
}
