import { expect } from 'vitest';
import type { ErrorCode } from '../../../src/errors.js';
import { errorKinds } from '../../../src/errors.js';
import type { Session } from '../../../src/postgres/session.js';
import type { CommandOutcome, LocalEnvironment } from '../../setup/localEnvironment.js';

/** What readers, writers and operators would notice of a run: relations with their storage and rows, indexes with aliases and documents. */
export interface Footprint {
  readonly catalog: readonly string[];
  readonly api: readonly string[];
  readonly indexes: Readonly<Record<string, unknown>>;
}

/** Everything that is there now, but for our own schema's tables. */
export async function footprintOf(local: LocalEnvironment): Promise<Footprint> {
  return {
    catalog: await local.withCatalog(listRelations),
    api: await local.withApi(listRelations),
    indexes: await listIndexes(local),
  };
}

async function listRelations(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ relation: string; isTable: boolean; shape: string }>(
    `select c.oid::regclass::text as relation, c.relkind = 'r' as "isTable",
       concat_ws(' ', c.relkind, c.relfilenode, (select string_agg(conname || case when convalidated then '' else '!' end, ',' order by conname)
         from pg_constraint where conrelid = c.oid)) as shape
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname not in ('pg_catalog', 'information_schema', 'freshet') and n.nspname not like 'pg_toast%' and n.nspname not like 'pg_temp%'
     order by 1`,
  );
  const lines: string[] = [];
  for (const { relation, isTable, shape } of rows) {
    const counted = isTable
      ? await session.query<{ rows: string }>(`select count(*) as rows from ${relation}`)
      : { rows: [] };
    lines.push(`${relation}: ${shape} ${counted.rows[0]?.rows ?? ''}`);
  }
  return lines;
}

async function listIndexes(local: LocalEnvironment): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, aliases] of Object.entries(await local.indexes())) {
    const { count } = await local.search<{ count: number }>(`${name}/_count`);
    found[name] = { aliases, count };
  }
  return found;
}

/** Nothing is different from `before`, no run goes on, nothing is marked as a candidate, nobody holds the environment. */
export async function expectUntouched(local: LocalEnvironment, before: Footprint): Promise<void> {
  expect(await footprintOf(local)).toEqual(before);
  const unfinished = await local.withState((session) =>
    countWhere(session, 'freshet.runs', 'finished_at is null'),
  );
  const leases = await local.withState((session) => countWhere(session, 'freshet.leases', 'true'));
  const candidates = await local.withApi((session) =>
    countWhere(session, 'freshet.parts', "role = 'candidate'"),
  );
  expect({ unfinished, leases, candidates }).toEqual({ unfinished: 0, leases: 0, candidates: 0 });
}

/** 0 where the table does not exist. */
async function countWhere(session: Session, table: string, condition: string): Promise<number> {
  const { rows: found } = await session.query<{ oid: string | null }>('select to_regclass($1)::text as oid', [
    table,
  ]);
  if (found[0]?.oid == null) return 0;
  const { rows } = await session.query<{ rows: string }>(
    `select count(*) as rows from ${table} where ${condition}`,
  );
  return Number(rows[0]?.rows);
}

export interface ExpectedError {
  readonly status: number;
  readonly code: ErrorCode;
  /** What happened, with names and numbers. */
  readonly says: RegExp;
}

/** The outcome says what happened (message and code) and what is safe and what to do (the kind's remedy, every placeholder filled). */
export function expectError(outcome: CommandOutcome, { status, code, says }: ExpectedError): void {
  expect(outcome.stderr).toContain(`(${code})`);
  expect(outcome.stderr).toMatch(says);
  const remedy = /^→ (.+)$/m.exec(outcome.stderr)?.[1] ?? '';
  const pattern = errorKinds[code].remedy
    .split(/\{\w+\}/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.+');
  expect(remedy).toMatch(new RegExp(`^${pattern}$`));
  expect(remedy).not.toMatch(/\{\w+\}/);
  expect(outcome.status).toBe(status);
}
