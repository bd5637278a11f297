import { FreshetError, messageOf } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { findViolations } from './duplicates.js';
import { quoteIdentifier, quoteLiteral, quoteQualified } from './identifiers.js';
import { hasSqlState, runWithLockRetries } from './lockRetry.js';
import type { Session } from './session.js';
import { readChecks } from './shape/checks.js';
import { readOutboundKeys } from './shape/foreignKeys.js';
import { grantStatements, readGrants } from './shape/grants.js';
import { readColumns } from './shape/columns.js';
import { statisticsStatements } from './statisticsBuild.js';
import { loadingOptions, optionList } from './tempTable.js';
import { withTempTable } from './tempTableBuild.js';
import type { PlannedCheck, PlannedForeignKey, TempTablePlan } from './tempTablePlan.js';

/** All CHECKs in one statement, of which no row is looked at while the table is locked. */
function addChecksStatement(plan: TempTablePlan, checks: readonly PlannedCheck[]): string {
  const clauses = checks.map(
    ({ name, definition, valid }) =>
      `add constraint ${quoteIdentifier(name)} ${definition}${valid ? ' not valid' : ''}`,
  );
  return `alter table ${quoteQualified(plan.temp)} ${clauses.join(', ')}`;
}

/** Looks at the rows: one scan, however many CHECKs there are. Workers read the table meanwhile, for as long as the scan takes. */
function validateChecksStatement(plan: TempTablePlan, checks: readonly PlannedCheck[]): string {
  const clauses = checks.map(({ name }) => `validate constraint ${quoteIdentifier(name)}`);
  return `alter table ${quoteQualified(plan.temp)} ${clauses.join(', ')}`;
}

/** All that gives a table these CHECKs. Pure. */
export function checkStatements(plan: TempTablePlan, checks: readonly PlannedCheck[]): string[] {
  const valid = checks.filter((check) => check.valid);
  return [
    ...(checks.length === 0 ? [] : [addChecksStatement(plan, checks)]),
    ...(valid.length === 0 ? [] : [validateChecksStatement(plan, valid)]),
  ];
}

/** The key of the temp table, NOT VALID: no row is looked at while the other table is locked. */
function foreignKeyStatement(plan: TempTablePlan, key: PlannedForeignKey): string {
  const columns = key.columns.map(quoteIdentifier).join(', ');
  const target = `${quoteQualified(key.tempTarget)} (${key.targetColumns.map(quoteIdentifier).join(', ')})`;
  const name = quoteIdentifier(key.name);
  return `alter table ${quoteQualified(plan.temp)} add constraint ${name} foreign key (${columns}) references ${target}${key.tail ?? ''} not valid`;
}

/** @param findRows names the rows that are in the way; of a foreign key Postgres itself names a key that is missing. */
async function refusingViolations(
  plan: TempTablePlan,
  what: string,
  work: () => Promise<unknown>,
  findRows: () => Promise<readonly string[]> = () => Promise.resolve([]),
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!hasSqlState(error, '23514', '23503')) throw error;
    const table = `${plan.live.schema}.${plan.live.name}`;
    const { detail } = error as { detail?: string };
    const reason =
      detail === undefined ? messageOf(error) : `${messageOf(error)}: ${detail.replace(/\.$/, '')}`;
    const rows = await findRows();
    const named = rows.length === 0 ? '' : ` (${rows.join(', ')})`;
    throw new FreshetError(
      'CONSTRAINT_VIOLATED',
      `New rows of ${table} violate ${what}: ${reason}${named}.`,
      { table },
      { cause: error },
    );
  }
}

async function addChecks(session: Session, plan: TempTablePlan, oid: number): Promise<void> {
  const present = new Map((await readChecks(session, oid)).map(({ name, valid }) => [name, valid]));
  const planned = plan.items.filter((item) => item.kind === 'check');
  const missing = planned.filter(({ name }) => !present.has(name));
  if (missing.length > 0) await session.query(addChecksStatement(plan, missing));
  const open = planned.filter(({ name, valid }) => valid && present.get(name) !== true);
  if (open.length === 0) return;
  const names = open.map(({ name }) => name).join(', ');
  const findRows = async (): Promise<string[]> => {
    for (const check of open) {
      const rows = await findViolations(session, plan, check);
      if (rows.length > 0) return rows;
    }
    return [];
  };
  await refusingViolations(plan, names, () => session.query(validateChecksStatement(plan, open)), findRows);
}

async function addForeignKey(
  session: Session,
  plan: TempTablePlan,
  oid: number,
  key: PlannedForeignKey,
): Promise<void> {
  const existing = (await readOutboundKeys(session, oid)).find(({ name }) => name === key.name);
  const tables = {
    relation: `${key.target.schema}.${key.target.name}`,
    oids: [oid, key.targetOid],
  };
  if (existing === undefined) {
    await runWithLockRetries(session, () => session.query(foreignKeyStatement(plan, key)), tables);
  }
  failpoint('constraints.foreignKey');
  if (existing?.valid === true || !key.valid) return;
  const validate = `alter table ${quoteQualified(plan.temp)} validate constraint ${quoteIdentifier(key.name)}`;
  await refusingViolations(plan, key.name, () =>
    runWithLockRetries(session, () => session.query(validate), tables),
  );
}

async function addForeignKeys(session: Session, plan: TempTablePlan, oid: number): Promise<void> {
  for (const item of plan.items) {
    if (item.kind === 'foreign key') await addForeignKey(session, plan, oid, item);
  }
}

/** Comments on CHECKs, NOT NULLs and foreign keys; the others came with the table and its indexes. */
export function constraintComments(plan: TempTablePlan): string[] {
  const table = quoteQualified(plan.temp);
  return plan.items.flatMap((item) =>
    item.kind === 'index' || item.comment === null
      ? []
      : [`comment on constraint ${quoteIdentifier(item.name)} on ${table} is ${quoteLiteral(item.comment)}`],
  );
}

/** From the storage parameters of the load back to those of the live table. */
function optionStatements(plan: TempTablePlan): string[] {
  const table = quoteQualified(plan.temp);
  const names = loadingOptions.map((option) => option.slice(0, option.indexOf('='))).join(', ');
  const { options } = plan.shape;
  return [
    `alter table ${table} reset (${names})`,
    ...(options.length === 0 ? [] : [`alter table ${table} set (${optionList(options)})`]),
  ];
}

/** FULL and NOTHING; an index that stands for it says so when it is built. */
export function replicaIdentityStatements({ shape, temp }: TempTablePlan): string[] {
  const { replicaIdentity } = shape;
  return replicaIdentity === 'default' || replicaIdentity === 'index'
    ? []
    : [`alter table ${quoteQualified(temp)} replica identity ${replicaIdentity}`];
}

/** Rights on the table, its columns and the sequences of its identity columns. */
async function missingGrants(session: Session, plan: TempTablePlan, oid: number): Promise<string[]> {
  const columns = new Map((await readColumns(session, oid)).map((column) => [column.name, column]));
  return [
    ...grantStatements(plan.temp, await readGrants(session, oid), plan.shape.grants),
    ...plan.shape.columns.flatMap(({ name, identity }) => {
      const own = columns.get(name)?.identity ?? null;
      return identity === null || own === null
        ? []
        : grantStatements(own.name, own.grants, identity.grants, 'sequence');
    }),
  ];
}

/** Adds CHECKs, foreign keys, statistics objects, replica identity, comments, grants and the live storage parameters. Safe to run twice and beside itself. */
export async function addConstraints(url: string, plan: TempTablePlan): Promise<void> {
  await withTempTable(url, plan, async (session, oid) => {
    await addChecks(session, plan, oid);
    failpoint('constraints.checks');
    await addForeignKeys(session, plan, oid);
    failpoint('constraints.foreignKeys');
    const statements = [
      ...statisticsStatements(plan),
      ...replicaIdentityStatements(plan),
      ...constraintComments(plan),
      ...optionStatements(plan),
      ...(await missingGrants(session, plan, oid)),
    ];
    for (const statement of statements) {
      await session.query(statement);
      failpoint('constraints.statement');
    }
  });
}
