import { setTimeout as delay } from 'node:timers/promises';
import prettyMs from 'pretty-ms';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import {
  swapEvictionTimeoutMs,
  swapLockTimeoutMs,
  swapLocksTimeoutMs,
  swapStatementTimeoutMs,
} from '../limits.js';
import { pausepoint } from '../pausepoint.js';
import { quoteIdentifier, quoteQualified } from './identifiers.js';
import {
  describeBlocker,
  findBlockers,
  isLockFailure,
  retryDelayMs,
  runWithLockRetries,
  type Blocker,
} from './lockRetry.js';
import { ensureMarks, unmarkedRunId, writePart } from './marks.js';
import { moveOrphans } from './orphans.js';
import { returnOrphans } from './returnOrphans.js';
import { withSession, withTransaction, type Session } from './session.js';
import {
  catalogStatements,
  prepareSwap,
  readFingerprint,
  type PreparedSwap,
  type PreparedTable,
  type SwapTable,
} from './swapPlan.js';
import { validateKeyStatement } from './swapStatements.js';
import { exclusiveLockStatements, listLockStatement, shapeLockStatement } from './swapLocks.js';
import { findRelation } from './tempTable.js';
import { findTempTable } from './tempTableBuild.js';
import { assertMadeSame, readSequenceValues } from './swapChecks.js';
import type { KeptOrphans, MovedForeignKey, SwapRecord } from './swapRecord.js';

export type { Blocker } from './lockRetry.js';
export type { SwapTable } from './swapPlan.js';
export type * from './swapRecord.js';

export interface SwapOptions {
  readonly apiUrl: string;
  readonly runId: string;
  readonly media: string;
  readonly version: string;
  readonly tables: readonly SwapTable[];
  /**
   * The last reconcile, in the transaction: called before the orphans are moved, and again while readers and writers are kept out. Names are
   * still those before the swap (the new rows are in the temp tables). Running it twice must change nothing the second time; it may also
   * run again after everything was rolled back.
   * @returns how many rows left the temp tables; their orphans are moved too.
   */
  readonly insideSwap: (session: Session) => Promise<number>;
  /**
   * Oids of the live tables, by `schema.name`, that the rows were copied for. Another table under that name is SHAPE_DIFFERS: what was
   * written to it since would be lost. Default: not looked at.
   */
  readonly expectedLiveOids?: Readonly<Record<string, number>>;
  /** Of a rollback: the generation whose tables become live again. */
  readonly generation?: string;
  /** Rows that the swap before had put aside: those whose records are back return, in the same transaction. */
  readonly returning?: readonly KeptOrphans[];
  /** How many rows of other tables may be put aside, counted in the transaction; more is ORPHANS_OVER_LIMIT. Default: any number. */
  readonly orphansMax?: number;
  /** How long the locks are tried for; afterwards SWAP_BLOCKED, with everything as before. */
  readonly lockWindowMs: number;
  /** Called before every try, when nothing is locked: what it throws ends the swap with everything as before. */
  readonly beforeTry?: () => Promise<void>;
  /** Called after every try that failed, when nothing is locked and nothing was changed. */
  readonly onBlocked: (blockers: readonly Blocker[]) => void | Promise<void>;
}

/** Somebody changed a view or a grant between preparing and locking: not a fault, the next try sees it. */
class ShapeMoved extends Error {}

/** The swap that `runId` has done, or null. */
export async function readSwap(session: Session, runId: string): Promise<SwapRecord | null> {
  const { rows } = await session.query<{ record: SwapRecord }>(
    'select record from freshet.swaps where run_id = $1',
    [runId],
  );
  return rows[0]?.record ?? null;
}

async function setLocal(session: Session, timeouts: Readonly<Record<string, number>>): Promise<void> {
  const settings = Object.entries(timeouts).map(([name, ms]) => `set local ${quoteIdentifier(name)} = ${ms}`);
  await session.query(settings.join('; '));
}

/**
 * Keeps changes of shape, autovacuum and other swaps out, not readers and writers. 5 s, because an autovacuum gives up its lock only to
 * somebody who waits longer than a second.
 */
async function lockShapes(session: Session, tables: readonly SwapTable[]): Promise<void> {
  await setLocal(session, { lock_timeout: swapEvictionTimeoutMs });
  await session.query(shapeLockStatement(tables.map(({ plan }) => plan.live)));
}

/** The plan may have been made a moment ago; what the rows were copied for is known from the copy only. */
async function assertExpectedTables(
  session: Session,
  { tables, runId, expectedLiveOids = {} }: SwapOptions,
): Promise<void> {
  for (const { live } of tables) {
    const name = `${live.schema}.${live.name}`;
    const expected = expectedLiveOids[name];
    const oid = await findRelation(session, live);
    if (expected === undefined || oid === expected) continue;
    throw new FreshetError(
      'SHAPE_DIFFERS',
      `${name} is another table (oid ${oid}) than the one that run ${runId} copied for (oid ${expected}).`,
      { table: name },
    );
  }
}

async function lockTemps(session: Session, tables: readonly SwapTable[]): Promise<void> {
  for (const { plan } of tables) await findTempTable(session, plan);
  await session.query(shapeLockStatement(tables.map(({ plan }) => plan.temp)));
}

/** Keeps writers of the lists out; their readers and everybody on the live tables go on. */
async function lockLists(session: Session, prepared: PreparedSwap): Promise<void> {
  await setLocal(session, { lock_timeout: swapLockTimeoutMs });
  const statement = listLockStatement(prepared);
  if (statement !== null) await session.query(statement);
}

/** Moves the orphans of all keys; what `before` kept of a key already is counted with the rest. */
async function moveAllOrphans(
  session: Session,
  prepared: PreparedSwap,
  options: SwapOptions,
  before: readonly KeptOrphans[] = [],
): Promise<KeptOrphans[]> {
  const orphans: KeptOrphans[] = [];
  for (const { plan, keys } of prepared.tables) {
    for (const key of keys) {
      const position = prepared.keys.indexOf(key) + 1;
      const kept = before.find(({ table, foreignKey }) => isSameKey(key, { table, name: foreignKey }));
      const move = { ...options, key, temp: plan.temp, position };
      const moved = await moveOrphans(session, move, kept ?? null);
      if (moved !== null) orphans.push(moved);
    }
  }
  assertOrphansWithin(orphans, options);
  return orphans;
}

type KeyName = Pick<MovedForeignKey, 'table' | 'name'>;

function isSameKey(one: KeyName, other: KeyName): boolean {
  return one.name === other.name && quoteQualified(one.table) === quoteQualified(other.table);
}

function assertOrphansWithin(orphans: readonly KeptOrphans[], { media, orphansMax }: SwapOptions): void {
  const rows = orphans.reduce((sum, kept) => sum + kept.rows, 0);
  if (orphansMax === undefined || rows <= orphansMax) return;
  throw new FreshetError(
    'ORPHANS_OVER_LIMIT',
    `${rows} rows of other tables refer to records of ${media} that vanish; at most ${orphansMax} may be put aside.`,
    { rows, orphansMax },
  );
}

/** Keeps everybody out. One statement bounds all its locks together, since the first are held while the last is waited for. */
async function lockExclusively(session: Session, prepared: PreparedSwap): Promise<void> {
  await setLocal(session, { lock_timeout: swapLockTimeoutMs, statement_timeout: swapLocksTimeoutMs });
  for (const statement of exclusiveLockStatements(prepared)) await session.query(statement);
  await setLocal(session, { statement_timeout: swapStatementTimeoutMs });
}

/**
 * Sees whether the locks could be had, and gives them back. Looking for orphans takes seconds in which writers of the lists wait; where
 * somebody is in the way it would be for nothing, at every try.
 */
async function probeLocks(session: Session, prepared: PreparedSwap): Promise<void> {
  if (prepared.keys.length === 0) return;
  await session.query('savepoint probe');
  await lockExclusively(session, prepared);
  await session.query('rollback to savepoint probe');
}

async function lockOutReaders(session: Session, prepared: PreparedSwap): Promise<void> {
  await lockExclusively(session, prepared);
  const liveOids = prepared.tables.map(({ shape }) => shape.oid);
  if ((await readFingerprint(session, liveOids)) !== prepared.fingerprint) throw new ShapeMoved();
}

/** The live table becomes the previous one, whoever made it; the temp table becomes the live one. */
async function moveMarks(
  session: Session,
  { swapped, plan, part }: PreparedTable,
  { media, version }: SwapOptions,
): Promise<void> {
  const unmarked = {
    liveName: plan.live.name,
    kind: 'table',
    runId: unmarkedRunId,
    media,
    version,
    snapshotAt: null,
  } as const;
  await writePart(session, {
    ...(part ?? unmarked),
    oid: swapped.previousOid,
    name: swapped.previous,
    role: 'previous',
  });
  await session.query(`update freshet.parts set role = 'live', name = $2 where oid = $1`, [
    swapped.liveOid,
    plan.live.name,
  ]);
}

/** Keys of the media's last swap that it had to validate: where one is not valid now, that did not come about. */
async function readOwedKeys(session: Session, media: string): Promise<MovedForeignKey[]> {
  const { rows } = await session.query<{ record: SwapRecord }>(
    'select record from freshet.swaps where media = $1 order by swapped_at desc limit 1',
    [media],
  );
  return rows[0]?.record.foreignKeys.filter(({ validate }) => validate) ?? [];
}

function movedKeys(prepared: PreparedSwap, owed: readonly MovedForeignKey[]): MovedForeignKey[] {
  return prepared.keys.map(({ table, name, definition, valid, comment, target }) => ({
    table,
    name,
    definition,
    validate: valid || owed.some((key) => isSameKey(key, { table, name })),
    comment,
    target,
  }));
}

/** The locked part: the reconcile, then the catalog changes in one message, marks, the record. */
async function swapLocked(
  session: Session,
  options: SwapOptions,
  prepared: PreparedSwap,
  parts: {
    readonly orphans: readonly KeptOrphans[];
    readonly lockedAt: number;
    readonly lockRetries: number;
  },
): Promise<SwapRecord> {
  failpoint('swap.locked');
  const deleted = await options.insideSwap(session);
  const orphans =
    deleted === 0 ? parts.orphans : await moveAllOrphans(session, prepared, options, parts.orphans);
  const sequences = await readSequenceValues(session, prepared);
  await session.query(catalogStatements(prepared).join(';\n'));
  await assertMadeSame(session, prepared);
  for (const table of prepared.tables) await moveMarks(session, table, options);
  const { generation, returning } = options;
  const orphansReturned = returning === undefined ? undefined : await returnOrphans(session, returning);
  const record: SwapRecord = {
    runId: options.runId,
    ...(generation === undefined ? {} : { generation }),
    ...(orphansReturned === undefined ? {} : { orphansReturned }),
    media: options.media,
    version: options.version,
    tables: prepared.tables.map(({ swapped }) => swapped),
    foreignKeys: movedKeys(prepared, await readOwedKeys(session, options.media)),
    orphans,
    sequences,
    views: prepared.views.map(({ name, definition, options: viewOptions }) => ({
      view: name,
      definition,
      options: viewOptions,
    })),
    lockHeldMs: Math.round(performance.now() - parts.lockedAt),
    lockRetries: parts.lockRetries,
  };
  await session.query('insert into freshet.swaps (run_id, media, record) values ($1, $2, $3)', [
    options.runId,
    options.media,
    JSON.stringify(record),
  ]);
  failpoint('swap.beforeCommit');
  await pausepoint('swap.beforeCommit');
  return record;
}

async function swapInTransaction(
  session: Session,
  options: SwapOptions,
  lockRetries: number,
): Promise<SwapRecord> {
  let lockedAt = 0;
  const record = await withTransaction(session, async () => {
    await lockShapes(session, options.tables);
    // Another process may have done it while this one waited for the lock.
    const done = await readSwap(session, options.runId);
    if (done !== null) return done;
    await assertExpectedTables(session, options);
    await lockTemps(session, options.tables);
    const prepared = await prepareSwap(session, options.tables);
    await probeLocks(session, prepared);
    // Before the orphans are looked for, so that almost no deletion is left for the time in which readers wait.
    await options.insideSwap(session);
    await lockLists(session, prepared);
    const orphans = await moveAllOrphans(session, prepared, options);
    lockedAt = performance.now();
    await lockOutReaders(session, prepared);
    return swapLocked(session, options, prepared, { orphans, lockedAt, lockRetries });
  });
  failpoint('swap.afterCommit');
  return lockedAt === 0 ? record : { ...record, lockHeldMs: Math.round(performance.now() - lockedAt) };
}

async function readLockedOids(session: Session, options: SwapOptions): Promise<number[]> {
  const liveOids = options.tables.map(({ plan }) => plan.liveOid);
  const { rows } = await session.query<{ oid: number }>(
    `select conrelid as oid from pg_constraint where contype = 'f' and confrelid = any($1::oid[])
     union select r.ev_class from pg_depend d join pg_rewrite r on r.oid = d.objid
       where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = any($1::oid[])
     union select s.oid from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
       where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = any($1::oid[])
     union select c.oid from pg_class c where c.oid = any($2::text[]::regclass[]::oid[])`,
    [liveOids, options.tables.map(({ plan }) => quoteQualified(plan.temp))],
  );
  return [...liveOids, ...rows.map(({ oid }) => oid)];
}

function blockedError(blockers: readonly Blocker[], options: SwapOptions, cause: unknown): FreshetError {
  const shown = blockers.map(describeBlocker);
  return new FreshetError(
    'SWAP_BLOCKED',
    `The tables of ${options.media} could not be locked within ${prettyMs(options.lockWindowMs)}; blocked by ${shown.join('; ') || 'sessions that are gone now'}.`,
    { blockers: shown },
    { cause },
  );
}

/**
 * Makes the temp tables the live ones, all in one transaction that changes the catalog only; readers wait for milliseconds, at most
 * 0.1 s at a time while somebody blocks. A run that has swapped already gets its record and nothing happens again.
 * Throws SHAPE_DIFFERS where a live table is not what the temp table was made for, SWAP_BLOCKED, ORPHANS_NOT_MOVABLE,
 * ORPHANS_OVER_LIMIT.
 */
export async function swapTables(options: SwapOptions): Promise<SwapRecord> {
  failpoint('swap.before');
  return withSession(
    options.apiUrl,
    { applicationName: 'freshet swap', called: 'API database' },
    async (session) => {
      await ensureMarks(session);
      const done = await readSwap(session, options.runId);
      if (done !== null) return done;
      const deadline = Date.now() + options.lockWindowMs;
      for (let tries = 0; ; tries += 1) {
        await options.beforeTry?.();
        try {
          return await swapInTransaction(session, options, tries);
        } catch (error) {
          if (!isLockFailure(error) && !(error instanceof ShapeMoved)) throw error;
          const blockers = await findBlockers(session, await readLockedOids(session, options));
          await options.onBlocked(blockers);
          if (Date.now() >= deadline) throw blockedError(blockers, options, error);
        }
        await delay(Math.min(retryDelayMs(tries), Math.max(0, deadline - Date.now())));
      }
    },
  );
}

/** Validates the keys that the swap added NOT VALID; readers and writers go on. Safe to run twice. */
export async function validateForeignKeys(apiUrl: string, record: SwapRecord): Promise<void> {
  await withSession(
    apiUrl,
    { applicationName: 'freshet validate', called: 'API database' },
    async (session) => {
      for (const key of record.foreignKeys.filter(({ validate }) => validate)) {
        await validateForeignKey(session, key);
        failpoint('promote.validated');
      }
    },
  );
}

async function validateForeignKey(session: Session, { table, name }: MovedForeignKey): Promise<void> {
  const { rows } = await session.query<{ conrelid: number; confrelid: number }>(
    `select k.conrelid, k.confrelid from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2 and k.conname = $3 and k.contype = 'f' and not k.convalidated`,
    [table.schema, table.name, name],
  );
  for (const { conrelid, confrelid } of rows) {
    const statement = validateKeyStatement({ table, name });
    await runWithLockRetries(session, () => session.query(statement), {
      relation: `${table.schema}.${table.name}`,
      oids: [conrelid, confrelid],
    });
  }
}
