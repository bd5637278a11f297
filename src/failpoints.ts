import { writeFileSync } from 'node:fs';
import { FreshetError } from './errors.js';

/**
 * Named points in production code at which a test may kill the process (kill -9, no clean-up). No-ops unless `FRESHET_FAILPOINT=<name>` names
 * one; `<name>@<n>` kills at the n-th passage. With `FRESHET_FAILPOINT_ONCE=<file>` only the first process that gets there dies: it creates the
 * file. `docs/failpoints.md` is made of this list.
 */

/** The points of a phase: `inner` stands between its beginning and `effect`, what it leaves. */
function phasePoints<P extends string, I extends string>(
  phase: P,
  effect: string,
  inner: Readonly<Record<I, string>>,
): Record<`${P}.before` | I | `${P}.after` | `${P}.recorded`, string> {
  return {
    [`${phase}.before`]: 'the phase is recorded as running',
    ...inner,
    [`${phase}.after`]: `${effect}; the phase is still recorded as running`,
    [`${phase}.recorded`]: `${effect}; the phase is recorded as done, the engine has not noted its end`,
  } as Record<`${P}.before` | I | `${P}.after` | `${P}.recorded`, string>;
}

/** Name → what is durable there. In the order of a run. */
export const failpoints = {
  'enqueue.written': 'nothing: run and phases are in an open transaction, the engine entry is not',
  'enqueue.beforeCommit': 'nothing: run, phases and engine entry are in an open transaction',
  'enqueue.afterCommit': 'the run is queued, its command has not told so yet',
  'orchestrator.alone': 'the advisory lock is held; row and sessions of the orchestrator before are there',
  'orchestrator.ended':
    'what the orchestrator before had open in the state database is ended; its row is there',
  'orchestrator.locked':
    'the advisory lock is held and the orchestrator row names this process; no run is executed',
  'takeover.catalog':
    'the sessions that a dead process left in the catalog are ended, those in the API database are not',
  'takeover.sessions':
    'the sessions that a dead process left are ended; the API database still has its token',
  'takeover.held': 'the API database has the token of this process; no phase is gone on with',

  'recover.candidate':
    'a generation whose run gave up between tables and aliases is recorded; its aliases are not moved',
  'recover.finished': 'its aliases are moved and all that follows is done; no event tells of it',

  'release.adopted':
    'the state knows what is live and previous; the lost runs are not recorded, the API database is held',
  'release.recorded': 'the lost runs count as over; the API database is held',
  'release.released': 'the API database is free; no event tells of it',

  ...phasePoints('wait', 'lease and API database belong to the run, which is running', {
    'wait.waiting': 'the run is waiting',
    'wait.leased': 'the lease belongs to the run',
    'wait.held': 'lease and API database belong to the run, which is still waiting',
  }),

  ...phasePoints('preflight', 'what earlier runs left is gone', {
    'preflight.looked': 'nothing new: all checks are passed, what earlier runs left is still there',
    'preflight.tables': 'tables of earlier runs are dropped',
    'preflight.index': 'one index of an earlier run is deleted',
    'preflight.indexes': 'tables and indexes of earlier runs are gone',
    'preflight.applied':
      'which deletions earlier runs had taken into account is forgotten; they still count as there',
  }),

  ...phasePoints('count-before', 'the counts are recorded', {
    'count-before.counted': 'nothing: the counts are in memory',
  }),

  ...phasePoints('copy', 'the temp tables are there', {
    'copy.beforeCreate': 'nothing: the keys are read, no temp table of this transaction is made',
    'copy.middle': 'nothing: some rows are in the open transaction',
    'copy.filled': 'nothing: all rows of one table are in the open transaction',
    'copy.beforeCommit': 'nothing: all tables are in the open transaction',
    'copy.afterCommit': 'temp tables, marks and applied deletions',
    'copy.applied':
      'without a copy: which deletions and marks are taken into account; their number is not recorded',
  }),

  ...phasePoints('applied-sets', 'which deletions and marks are taken into account is recorded', {
    'applied-sets.applied': 'which deletions and marks are taken into account; their number is not recorded',
  }),

  ...phasePoints('keys', 'all keys are there', {
    'keys.index': 'a unique index of a temp table, not yet its constraint',
    'keys.key': 'one more key of a temp table, not the next',
    'keys.all': 'all keys; the rows are not counted',
  }),

  ...phasePoints('create-indexes', 'both indexes are there and recorded as candidate', {
    'create-indexes.main': 'the main index',
    'create-indexes.filtered': 'main and filtered index; no candidate is recorded',
  }),

  ...phasePoints(
    'reindex',
    'all documents are there, nobody can write to them through the alias of the run',
    {
      'reindex.planned': 'the slices',
      'reindex.requested': 'a worker is recorded as requested, no process is there',
      'reindex.ready': 'a worker is ready, no slice is claimed by it',
      'reindex.claimed': 'a slice is claimed, no task has begun',
      'reindex.started': 'a task writes documents',
      'worker.rows': 'some documents; only the worker dies',
      'worker.written': 'all documents of a slice, which is not recorded as done; only the worker dies',
      'reindex.slice': 'a slice is done, others may be claimed or pending',
      'reindex.indexed': 'all slices are done, the alias of the writers is there',
      'reindex.closed': 'all slices are done, the alias of the writers is gone',
    },
  ),

  ...phasePoints('constraints', 'all indexes and constraints are there', {
    'constraints.index': 'one more index of a temp table, not the next',
    'constraints.indexes': 'all indexes of a temp table, no CHECK',
    'constraints.checks': 'the CHECKs of a temp table, no foreign key',
    'constraints.foreignKey': 'a foreign key that is not validated',
    'constraints.foreignKeys':
      'all foreign keys; storage parameters, comments and grants are those of the load',
    'constraints.statement': 'some of comments, storage parameters and grants',
  }),

  ...phasePoints(
    'filtered-index',
    'all other documents are in the filtered index, nobody can write through its alias',
    {
      'index.deleted': 'an index that is made anew is deleted, not yet created',
      'filtered-index.matched': 'nothing: the matches are in memory',
      'filtered-index.started': 'a task of the cluster copies a range',
      'filtered-index.copied': 'a range is in the filtered index, not yet recorded',
      'filtered-index.range': 'a range is recorded, others are not copied',
      'filtered-index.filled': 'all ranges; the alias of the writers is there',
      'filtered-index.closed': 'all ranges; the alias of the writers is gone',
    },
  ),

  ...phasePoints('serving', 'both indexes have their serving settings and are green', {
    'serving.vacuumed': 'the temp tables are vacuumed, the indexes have the settings of the load',
    'serving.settings': 'an index has its serving settings and may not be green',
    'serving.main': 'the main index is ready, the filtered one is not',
  }),

  ...phasePoints('reconcile', 'what API writers did is in temp table and indexes', {
    'reconcile.rows':
      'rows that writers deleted have left the temp table, their documents are listed in freshet.removed',
    'reconcile.documents': 'the documents of deleted records are gone, freshet.removed still lists them',
    'reconcile.deleted': 'deletions are applied and recorded, marks are not',
    'reconcile.marks': 'documents of marked records are written, the marks are not recorded as applied',
  }),

  ...phasePoints('verify', 'the checks are recorded', {
    'verify.begun': 'the run is verifying',
    'verify.checked': 'the checks are recorded, none has refused the run yet',
  }),

  ...phasePoints(
    'show-candidate',
    'the candidate of a run that is to hold can be seen under aliases of its own',
    {
      'show-candidate.added': 'the aliases point at the candidate',
    },
  ),

  'hold.before': 'a run that shall be held is verified',
  'hold.released': 'the API database is released, the lease is not',
  'hold.after': 'the run is held; the engine has not noted its end',

  ...phasePoints('window', 'a promotion window is open', {
    'window.waiting': 'nothing: the candidate waits for its window',
  }),

  ...phasePoints('before-hooks', 'every hook before the promotion has said yes', {
    'before-hooks.next': 'the hooks before this one have said yes',
    'before-hooks.called': 'one more hook has answered; its answer is in memory',
  }),

  ...phasePoints('promote', 'tables and aliases are live', {
    'promote.begun': 'the run is promoting and cannot be cancelled any more',
    'swap.before': 'the run is promoting',
    'swap.locked': 'nothing of the swap: its locks are held in an open transaction',
    'swap.beforeCommit': 'nothing of the swap: all of it is in an open transaction',
    'swap.afterCommit': 'the new tables are live, the aliases are not moved',
    'promote.tablesSwapped': 'the new tables are live where the run copies, the aliases are not moved',
    'promote.aliasesMoved': 'tables and aliases are live, neither API database nor state know it',
    'promote.parts':
      'tables and aliases are live, the API database knows it, the state still calls them candidate',
    'promote.generation':
      'the generation is recorded as live; what writers did since the last reconcile is not applied',
    'promote.rows': 'rows that writers deleted meanwhile have left the live table',
    'promote.documents': 'the documents of deleted records are gone, freshet.removed still lists them',
    'promote.deleted': 'deletions are applied and recorded, marks are not',
    'promote.marks': 'documents of marked records are written, the marks are not recorded as applied',
    'promote.reconciled': 'all that writers did is applied; moved foreign keys are not validated',
    'promote.validated': 'one more moved foreign key is validated',
  }),

  ...phasePoints('after-hooks', 'every hook after the promotion was told', {
    'after-hooks.next': 'the hooks before this one were told',
    'after-hooks.called': 'one more hook has answered; its answer is in memory',
  }),

  ...phasePoints('clean-up', 'live and previous generation are left', {
    'clean-up.tables': 'tables of the generation before the previous one are dropped',
    'clean-up.index': 'one of its indexes is deleted',
    'clean-up.indexes': 'its tables and indexes are gone',
    'clean-up.applied': 'which deletions it had taken into account is forgotten; it still counts as there',
  }),

  ...phasePoints('count-after', 'the counts are recorded', {
    'count-after.counted': 'nothing: the counts are in memory',
  }),

  'undo.index': 'one index of a cancelled run is deleted',
  'undo.indexes': 'the indexes of a cancelled run are deleted; its temp tables may be there',
  'undo.tables': 'the temp tables of a cancelled run are dropped; its indexes may be there',
  'undo.forgotten':
    'nothing of a cancelled run is left in the API database; its generation still counts as candidate',

  'end.before': 'all phases, or the failure of one',
  'end.undone': 'what a cancelled run had made is gone',
  'end.released': 'the API database is released, the lease is not',
  'end.after': 'the run is over and its lease is gone; the engine has not noted its end',
} as const satisfies Readonly<Record<string, string>>;

export type FailpointName = keyof typeof failpoints;

interface Armed {
  readonly name: FailpointName;
  readonly passage: number;
  /** Created by the one process that dies; null = every process dies. */
  readonly onceFile: string | null;
}

let armed: Armed | null | undefined;
let passages = 0;

/** Passes the point `name`; kills this process with SIGKILL when a test armed it. */
export function failpoint(name: FailpointName): void {
  armed ??= readArmed(process.env);
  if (armed?.name !== name) return;
  passages += 1;
  if (passages !== armed.passage || !isFirst(armed.onceFile)) return;
  process.kill(process.pid, 'SIGKILL');
}

/**
 * What the environment arms. Throws CONFIGURATION_INVALID for a name that is none: with a typing mistake a test would pass because nothing is
 * ever killed.
 */
export function readArmed(env: Readonly<Record<string, string | undefined>>): Armed | null {
  const value = env['FRESHET_FAILPOINT'] ?? '';
  if (value === '') return null;
  const [name = '', passage = '1', ...rest] = value.split('@');
  if (!isFailpoint(name)) throw invalid(`${JSON.stringify(name)} is no failpoint`);
  if (!/^[1-9]\d*$/.test(passage) || rest.length > 0)
    throw invalid(`${JSON.stringify(value)} has no number from 1 on after @`);
  return { name, passage: Number(passage), onceFile: env['FRESHET_FAILPOINT_ONCE'] ?? null };
}

function isFailpoint(name: string): name is FailpointName {
  return Object.hasOwn(failpoints, name);
}

function invalid(what: string): FreshetError {
  return new FreshetError(
    'CONFIGURATION_INVALID',
    `FRESHET_FAILPOINT: ${what} (docs/failpoints.md lists them).`,
  );
}

function isFirst(onceFile: string | null): boolean {
  if (onceFile === null) return true;
  try {
    writeFileSync(onceFile, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
