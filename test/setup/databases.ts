import { randomBytes } from 'node:crypto';
import { quoteIdentifier } from '../../src/postgres/identifiers.js';
import { withSession } from '../../src/postgres/session.js';

/** A database of one test. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Ends its connections and drops it. */
  drop(): Promise<void>;
}

/** A name that no other test has: lower case, fit for databases, indexes and aliases. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}

/** Creates an own database on the server of `url`, empty or as a copy of `template` (which nobody may be connected to). */
export async function createDatabase(
  url: string,
  options: { template?: string } = {},
): Promise<TestDatabase> {
  const name = uniqueName('test');
  const template = options.template ? ` template ${quoteIdentifier(options.template)}` : '';
  await run(url, `create database ${quoteIdentifier(name)}${template}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    name,
    url: own.href,
    drop: () => run(url, `drop database if exists ${quoteIdentifier(name)} with (force)`),
  };
}

async function run(url: string, statement: string): Promise<void> {
  const options = { applicationName: 'test setup', called: 'server of the test run' };
  await withSession(url, options, async (session) => {
    await session.query(statement);
  });
}
