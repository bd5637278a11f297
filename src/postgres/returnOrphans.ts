import { quoteIdentifier, quoteQualified, type QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import { readColumns } from './shape/columns.js';
import { readOutboundKeys } from './shape/foreignKeys.js';
import type { KeptOrphans } from './swapRecord.js';
import type { ForeignKeyShape } from './tableShape.js';
import { findRelation } from './tempTable.js';

/**
 * Brings rows back that a swap had put aside, in the swap transaction of a rollback: those whose records, and whatever else they refer to, are
 * there. A row that is there again already, and one that its table takes no more, stay out.
 * @returns how many are back.
 */
export async function returnOrphans(session: Session, kept: readonly KeptOrphans[]): Promise<number> {
  let returned = 0;
  for (const orphans of kept) returned += await returnOf(session, orphans);
  return returned;
}

async function returnOf(session: Session, { kept, keptOid, table }: KeptOrphans): Promise<number> {
  const tableOid = await findRelation(session, table);
  if (tableOid === null || (await findRelation(session, kept)) !== keptOid) return 0;
  const keptColumns = new Set((await readColumns(session, keptOid)).map(({ name }) => name));
  const columns = (await readColumns(session, tableOid))
    .filter(({ name, generated }) => generated === null && keptColumns.has(name))
    .map(({ name }) => quoteIdentifier(name))
    .join(', ');
  const keys = await readOutboundKeys(session, tableOid);
  // What was changed since may refuse one of the rows (a new CHECK): no reason to keep everybody from the way back.
  await session.query('savepoint back');
  try {
    const { rowCount } = await session.query(returnStatement({ kept, table, columns, keys }));
    await session.query('release savepoint back');
    return rowCount ?? 0;
  } catch (error) {
    // Class 23: a constraint.
    if (!(error as { code?: string }).code?.startsWith('23')) throw error;
    await session.query('rollback to savepoint back');
    return 0;
  }
}

interface Return {
  readonly kept: QualifiedName;
  readonly table: QualifiedName;
  readonly columns: string;
  readonly keys: readonly ForeignKeyShape[];
}

function returnStatement({ kept, table, columns, keys }: Return): string {
  const conditions = keys.map(refersToSomething);
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  return `with back as (delete from ${quoteQualified(kept)} k${where} returning k.*)
    insert into ${quoteQualified(table)} (${columns}) overriding system value select ${columns} from back on conflict do nothing`;
}

/** With the key's own equality operators. A key with a null refers to nothing, which is allowed. */
function refersToSomething(key: ForeignKeyShape): string {
  const nulls = key.columns.map((column) => `k.${quoteIdentifier(column)} is null`);
  const equal = key.columns.map((column, place) => {
    const target = quoteIdentifier(key.targetColumns[place] ?? '');
    return `t.${target} operator(${key.operators[place] ?? 'pg_catalog.='}) k.${quoteIdentifier(column)}`;
  });
  return `(${nulls.join(' or ')} or exists (select from ${quoteQualified(key.target)} t where ${equal.join(' and ')}))`;
}
