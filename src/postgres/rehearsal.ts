import { FreshetError, messageOf } from '../errors.js';
import { checkStatements, constraintComments, replicaIdentityStatements } from './constraintBuild.js';
import { quoteIdentifier, quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.js';
import { createIndexStatement, finishIndexStatements, keyConstraintStatements } from './indexBuild.js';
import { hasSqlState } from './lockRetry.js';
import { fitName, digestOf } from './names.js';
import type { Session } from './session.js';
import { diffShapes } from './shape/diff.js';
import { statisticsStatements } from './statisticsBuild.js';
import { describeTable, type TableShape } from './tableShape.js';
import { tempTableStatements } from './tempTable.js';
import { planTempTable, plannedIndexes, type TempTablePlan } from './tempTablePlan.js';
import { watcherStatements } from './watcherStatements.js';

/** Undoes the rehearsal and carries what it found. */
class RehearsalOver extends Error {
  constructor(readonly differences: readonly string[]) {
    super('rehearsal over');
  }
}

const runId = 'rehearsal';

function rehearsalPlan(shape: TableShape): TempTablePlan {
  const plan = planTempTable(shape, runId);
  const name = fitName('freshet_rehearsal_', shape.name.name, `_${digestOf(quoteQualified(shape.name))}`);
  return { ...plan, temp: { schema: shape.name.schema, name } };
}

/** All that the temp table gets but foreign keys: those would lock other tables, and their definitions were compared already. Pure. */
export function rehearsalStatements(
  plan: TempTablePlan,
  addedColumns: Readonly<Record<string, string>>,
): string[] {
  const indexes = plannedIndexes(plan);
  const checks = plan.items.filter((item) => item.kind === 'check').filter(({ type }) => type === 'check');
  const items = plan.items.filter((item) => item.kind !== 'foreign key');
  return [
    ...tempTableStatements(plan.shape, plan.temp, addedColumns, plan.runId),
    ...indexes.flatMap((index) => [
      `select set_config('default_tablespace', ${quoteLiteral(index.tablespace ?? '')}, true)`,
      createIndexStatement(plan, index),
      ...keyConstraintStatements(plan, index),
      ...finishIndexStatements(plan, index),
    ]),
    ...checkStatements(plan, checks),
    ...statisticsStatements(plan),
    ...replicaIdentityStatements(plan),
    ...constraintComments({ ...plan, items }),
  ];
}

/** A policy calls its table by the live name, so the rehearsed table gets it, in a schema where it is free. */
function renameToLive({ temp, live }: TempTablePlan): { renamed: QualifiedName; statements: string[] } {
  const schema = fitName('freshet_rehearsal_', live.schema, `_${digestOf(quoteQualified(live))}`);
  return {
    renamed: { schema, name: live.name },
    statements: [
      `create schema ${quoteIdentifier(schema)}`,
      `alter table ${quoteQualified(temp)} set schema ${quoteIdentifier(schema)}`,
      `alter table ${quoteQualified({ schema, name: temp.name })} rename to ${quoteIdentifier(live.name)}`,
    ],
  };
}

/** What the temp table gets later than the rehearsal is no difference. */
const later = /^(foreign key|grant|storage parameter) /;

async function rehearseTable(
  session: Session,
  shape: TableShape,
  addedColumns: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const plan = rehearsalPlan(shape);
  const { renamed, statements } = renameToLive(plan);
  await session.query('begin');
  try {
    const all = [
      ...rehearsalStatements(plan, addedColumns),
      ...statements,
      ...watcherStatements(renamed, shape),
    ];
    for (const statement of all) await session.query(statement);
    const copy = await describeTable(session, renamed);
    const declaredAdditions = Object.keys(addedColumns);
    const nameOf = (): string => '';
    const differences = diffShapes(shape, copy, { declaredAdditions, scope: 'rehearsal', nameOf });
    throw new RehearsalOver(differences.filter((difference) => !later.test(difference)));
  } catch (error) {
    await session.query('rollback');
    if (error instanceof RehearsalOver) return error.differences;
    if (hasSqlState(error, '57P01', '08006')) throw error;
    return [messageOf(error)];
  }
}

/** The swap renames the table and alters what refers to it, which only owners may. */
async function listNotOwned(session: Session, shape: TableShape): Promise<string[]> {
  const oids = [
    shape.oid,
    ...shape.inboundKeys.map(({ tableOid }) => tableOid),
    ...shape.views.map(({ oid }) => oid),
    ...shape.sequences.map(({ oid }) => oid),
  ];
  const { rows } = await session.query<{ name: string; owner: string; role: string }>(
    `select oid::regclass::text as name, pg_get_userbyid(relowner)::text as owner, current_user::text as role
     from pg_class where oid = any($1::oid[]) and not pg_has_role(current_user, relowner, 'USAGE')`,
    [oids],
  );
  return rows.map(
    ({ name, owner, role }) => `${name}, which belongs to ${owner} and not to ${quoteIdentifier(role)}`,
  );
}

/** Publications change their tables, and statistics objects their names, for their owners only. Forced row security hides rows from owners. */
async function listNotAllowed(session: Session, shape: TableShape): Promise<string[]> {
  const { rows } = await session.query<{ found: string }>(
    `select 'publication ' || quote_ident(pubname) || ', which belongs to ' || pg_get_userbyid(pubowner) || ' and not to ' || quote_ident(current_user) as found
       from pg_publication where oid = any($1::oid[]) and not pg_has_role(current_user, pubowner, 'USAGE')
     union all
     select 'statistics ' || quote_ident(stxname) || ', which belongs to ' || pg_get_userbyid(stxowner) || ' and not to ' || quote_ident(current_user)
       from pg_statistic_ext where oid = any($2::oid[]) and not pg_has_role(current_user, stxowner, 'USAGE')
     union all
     select 'forced row security, which would hide rows from ' || quote_ident(current_user)
       from pg_roles where $3 and rolname = current_user and not (rolsuper or rolbypassrls)`,
    [
      shape.publications.map(({ oid }) => oid),
      shape.statistics.map(({ oid }) => oid),
      shape.rowSecurity && shape.rowSecurityForced,
    ],
  );
  return rows.map(({ found }) => found);
}

/**
 * Makes an empty table of each shape with all indexes and constraints, compares it with the live one by the catalog, and undoes it: what
 * cannot be carried, for whatever reason (an expression that names the table, a missing right), is known before the copy. Takes no lock
 * on the live table. Throws TABLE_FEATURE_UNSUPPORTED naming all. Call it after `assertCarryable`, outside a transaction.
 */
export async function rehearseTempTables(
  session: Session,
  tables: readonly { readonly shape: TableShape; readonly addedColumns: Readonly<Record<string, string>> }[],
): Promise<void> {
  const features: string[] = [];
  for (const { shape, addedColumns } of tables) {
    const found = [
      ...(await rehearseTable(session, shape, addedColumns)),
      ...(await listNotOwned(session, shape)),
      ...(await listNotAllowed(session, shape)),
    ];
    features.push(...found.map((feature) => `${shape.name.schema}.${shape.name.name}: ${feature}`));
  }
  if (features.length === 0) return;
  throw new FreshetError(
    'TABLE_FEATURE_UNSUPPORTED',
    `The promoted table could not be what the live one is: ${features.join('; ')}.`,
    { features },
  );
}
