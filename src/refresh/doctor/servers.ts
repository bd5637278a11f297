import type { Session } from '../../postgres/session.js';
import { ok, orOk, problem, warning, type Finding } from './finding.js';

/** What a Postgres server says about itself and about the user of the session. */
export interface ServerFacts {
  readonly version: number;
  readonly database: string;
  readonly user: string;
  readonly mayCreate: boolean;
  readonly mayTemp: boolean;
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
  /** Tells clusters apart however they are reached; null where it may not be read. */
  readonly systemIdentifier: string | null;
}

/** Postgres versions that freshet is tested with. */
const supportedVersions = { min: 14, max: 18 };

/** Reads the facts of one server. The session must not be read-only by itself, or `isReadOnly` says so. */
export async function readServerFacts(session: Session): Promise<ServerFacts> {
  const { rows } = await session.query<Omit<ServerFacts, 'systemIdentifier'>>(`
    select current_setting('server_version_num')::int / 10000 as version, current_database() as database,
      current_user as user, has_database_privilege(current_database(), 'CREATE') as "mayCreate",
      has_database_privilege(current_database(), 'TEMP') as "mayTemp", pg_is_in_recovery() as "isStandby",
      current_setting('default_transaction_read_only')::bool as "isReadOnly"`);
  const [facts] = rows;
  if (facts === undefined) throw new Error('the server gave no answer about itself');
  return { ...facts, systemIdentifier: await readSystemIdentifier(session) };
}

/** Providers of hosted databases take the right to read it away; then the configured addresses must do. */
async function readSystemIdentifier(session: Session): Promise<string | null> {
  const allowed = await session.query<{ allowed: boolean }>(
    `select has_function_privilege('pg_control_system()', 'EXECUTE') as allowed`,
  );
  if (allowed.rows[0]?.allowed !== true) return null;
  const { rows } = await session.query<{ id: string }>(
    'select system_identifier::text as id from pg_control_system()',
  );
  return rows[0]?.id ?? null;
}

function judgeVersion(check: string, { version }: ServerFacts): Finding[] {
  const { min, max } = supportedVersions;
  if (version < min) {
    return [
      problem(
        check,
        `Postgres ${version} is too old.`,
        `Upgrade the server: freshet needs Postgres ${min} to ${max}.`,
      ),
    ];
  }
  if (version <= max) return [];
  return [
    warning(
      check,
      `Postgres ${version} is newer than what freshet was tested with (${min} to ${max}).`,
      'Try a refresh against a copy first.',
    ),
  ];
}

/** The catalog is only read. */
export function judgeCatalog(facts: ServerFacts): Finding[] {
  const fine = ok('catalog', `Postgres ${facts.version}, database ${facts.database}, user ${facts.user}.`);
  return orOk(judgeVersion('catalog', facts), fine);
}

/** A database that freshet writes to. */
export function judgeTarget(check: 'API database' | 'state database', facts: ServerFacts): Finding[] {
  const { database, user } = facts;
  const findings = judgeVersion(check, facts);
  if (facts.isStandby || facts.isReadOnly) {
    findings.push(
      problem(check, `The database ${database} can only be read.`, 'Give the URL of the primary server.'),
    );
  }
  if (!facts.mayCreate) findings.push(missingRight(check, 'CREATE', facts));
  if (!facts.mayTemp && check === 'API database') findings.push(missingRight(check, 'TEMPORARY', facts));
  return orOk(findings, ok(check, `Postgres ${facts.version}, database ${database}, user ${user}.`));
}

function missingRight(check: string, right: string, { database, user }: ServerFacts): Finding {
  return problem(
    check,
    `The user ${user} has no ${right} right on the database ${database}.`,
    `grant ${right.toLowerCase()} on database "${database}" to "${user}";`,
  );
}

/** Source and target must be two databases, however their URLs are spelled. */
export function judgeSameDatabase(catalog: ServerFacts, api: ServerFacts): Finding[] {
  const isSame =
    catalog.systemIdentifier !== null &&
    catalog.systemIdentifier === api.systemIdentifier &&
    catalog.database === api.database;
  if (!isSame) return [];
  return [
    problem(
      'source and target',
      `The catalog and the API database are the same database (${api.database} of one server or of its replica).`,
      'Give two databases: a refresh would replace the tables that it reads.',
    ),
  ];
}
