import { createHash } from 'node:crypto';
import { failpoints, type FailpointName } from '../../src/failpoints.js';

/** Which points are passed in which flow, in which order, and what else a round needs to get there. */

/**
 * `rollback`: to what was live before; `hold`: held, then promoted; `promote`: the promotion of a held run by command; `retry`: of a run whose workers died again and again;
 * `retry-copy`: of a run that the gate refused, from its copy on; `window`: waits for its window; `cancel`: cancelled when all is made; `sweep`: after
 * a run that failed; `recover`: after one that gave up between tables and aliases; `release`: of an environment whose state database was lost.
 */
export type Flow =
  | 'refresh'
  | 'skip-copy'
  | 'filtered-index'
  | 'rollback'
  | 'hold'
  | 'promote'
  | 'retry'
  | 'retry-copy'
  | 'window'
  | 'cancel'
  | 'sweep'
  | 'recover'
  | 'release';

/** Flows whose command goes on with a run that is held, has failed or was refused. */
export type LaterAttempt = 'promote' | 'retry' | 'retry-copy';

export function isLaterAttempt(flow: Flow): flow is LaterAttempt {
  return flow === 'promote' || flow === 'retry' || flow === 'retry-copy';
}

export interface Cell {
  readonly flow: Flow;
  readonly failpoint: FailpointName;
  /** How often a run passes the point at least: a seed chooses one of the passages. */
  readonly passages: number;
  /** The process dies here first, and API writers act, so that there is something to do at the point itself. */
  readonly after: FailpointName | null;
  /** Whether readers see what they saw before the run when the process has died here. */
  readonly isBeforePromotion: boolean;
}

const phase = (name: string, ...inner: string[]): string[] => [
  `${name}.before`,
  ...inner.map((point) => (point.includes('.') ? point : `${name}.${point}`)),
  `${name}.after`,
  `${name}.recorded`,
];

const takeover = ['takeover.catalog', 'takeover.sessions', 'takeover.held'];
const verifying = [
  ...phase('reconcile', 'rows', 'documents', 'deleted', 'marks'),
  ...phase('verify', 'begun', 'checked'),
];
const deciding = [...phase('window'), ...phase('before-hooks', 'next', 'called')];
const filling = [
  ...phase(
    'filtered-index',
    ...['index.deleted', 'matched', 'started', 'copied', 'range', 'filled', 'closed'],
  ),
  ...phase('serving', 'vacuumed', 'settings', 'main'),
  ...verifying,
  ...deciding,
];
const reconciling = ['promote.rows', 'promote.documents', 'promote.deleted', 'promote.marks'];
const ending = [
  ...phase('after-hooks', 'next', 'called'),
  // First, because the next orchestrator sweeps at its start what a run has left, beside the run's own clean-up.
  'clean-up.index',
  ...phase('clean-up', 'tables', 'indexes', 'applied'),
  ...phase('count-after', 'counted'),
  ...['end.before', 'end.undone', 'end.released', 'end.after'],
];
const beginning = [
  ...['enqueue.written', 'enqueue.beforeCommit', 'enqueue.afterCommit'],
  ...['orchestrator.alone', 'orchestrator.ended', 'orchestrator.locked'],
  ...phase('wait', 'waiting', 'leased', 'held'),
];
const reindexing = phase(
  'reindex',
  ...['planned', 'requested', 'ready', 'claimed', 'started', 'worker.rows', 'worker.written'],
  ...['slice', 'indexed', 'closed'],
);

const preflight = phase('preflight', 'looked', 'tables', 'indexes', 'applied');
const copying = [
  ...phase('copy', 'beforeCreate', 'middle', 'filled', 'beforeCommit', 'afterCommit'),
  ...phase('keys', ...takeover, 'index', 'key', 'all'),
  ...phase('create-indexes', 'main', 'filtered'),
];
const constraining = phase(
  'constraints',
  ...['index', 'indexes', 'checks', 'foreignKey', 'foreignKeys', 'statement'],
);
const promoting = [
  ...['promote.before', 'promote.begun', 'swap.before', 'swap.locked', 'swap.beforeCommit'],
  ...['swap.afterCommit', 'promote.tablesSwapped', 'promote.aliasesMoved', 'promote.parts'],
  'promote.generation',
  ...[...reconciling, 'promote.reconciled', 'promote.validated', 'promote.after', 'promote.recorded'],
];

/** The points of a flow in the order in which a run passes them; `reindex` and `constraints` go on beside each other. */
const orders: Readonly<Record<Flow, readonly string[]>> = {
  refresh: [
    ...beginning,
    ...preflight,
    ...phase('count-before', 'counted'),
    ...copying,
    ...reindexing,
    ...constraining,
    ...filling,
    ...promoting,
    ...ending,
  ],
  'skip-copy': [
    ...preflight,
    ...phase('copy', 'applied'),
    ...phase('keys'),
    ...phase('create-indexes', 'main', 'filtered'),
    ...reindexing,
    ...filling,
    ...['promote.before', 'promote.begun', 'promote.tablesSwapped'],
    ...['promote.aliasesMoved', 'promote.parts', 'promote.generation', ...reconciling, 'promote.reconciled'],
    ...['promote.after', 'promote.recorded'],
    ...ending,
  ],
  'filtered-index': [
    ...phase('preflight', 'looked'),
    ...phase('applied-sets', 'applied'),
    ...phase('create-indexes', 'filtered'),
    ...filling,
    ...[
      'promote.before',
      'promote.begun',
      'promote.aliasesMoved',
      'promote.parts',
      'promote.generation',
      ...reconciling,
    ],
    ...['promote.after', 'promote.recorded'],
    ...ending,
  ],
  // Not `end.after`: the same command would begin a second one, which goes forward again.
  rollback: [
    ...phase('preflight', 'looked'),
    ...phase('serving', 'vacuumed', 'settings', 'main'),
    ...phase('reconcile', 'rows', 'documents', 'deleted', 'marks'),
    ...['promote.before', 'promote.begun', 'swap.before', 'swap.locked', 'swap.beforeCommit'],
    ...['swap.afterCommit', 'promote.tablesSwapped', 'promote.aliasesMoved', 'promote.parts'],
    ...['promote.generation', ...reconciling, 'promote.reconciled', 'promote.validated'],
    ...['promote.after', 'promote.recorded', ...phase('after-hooks', 'next', 'called')],
    ...['end.before', 'end.undone', 'end.released'],
  ],
  hold: [...phase('show-candidate', 'added'), 'hold.before', 'hold.released', 'hold.after'],
  // Phases that the attempt before had done are not run again.
  promote: [
    ...beginning,
    ...preflight,
    ...verifying,
    ...takeover,
    ...phase('show-candidate', 'added'),
    ...deciding,
    ...promoting,
    ...ending,
  ],
  retry: [...beginning, ...preflight, ...reindexing, ...takeover, ...filling, ...promoting, ...ending],
  'retry-copy': [
    ...beginning,
    ...preflight,
    ...copying,
    ...reindexing,
    ...constraining,
    ...filling,
    ...promoting,
    ...ending,
  ],
  window: ['window.waiting'],
  cancel: ['undo.tables', 'undo.index', 'undo.indexes', 'undo.forgotten', 'end.undone', 'end.released'],
  recover: [
    ...['recover.candidate', 'promote.aliasesMoved', 'promote.parts', 'promote.generation'],
    ...['promote.reconciled', 'promote.validated', 'recover.finished'],
  ],
  release: ['release.adopted', 'release.recorded', 'release.released'],
  sweep: ['preflight.tables', 'preflight.index', 'preflight.indexes', 'preflight.applied'],
};

/** Points that a run passes more than once with some hundred rows, several slices and ranges. */
const passages: Readonly<Partial<Record<FailpointName, number>>> = {
  'copy.middle': 4,
  'keys.index': 3,
  'keys.key': 3,
  'constraints.index': 6,
  'constraints.statement': 3,
  'reindex.claimed': 2,
  'reindex.started': 2,
  'reindex.slice': 2,
  'worker.rows': 1,
  'filtered-index.started': 2,
  'filtered-index.copied': 2,
  'filtered-index.range': 2,
  'clean-up.index': 2,
  'preflight.index': 2,
  'undo.index': 2,
};

/** The main index that the attempt before had filled is made anew, and the filtered one. */
const passagesOfRetryCopy: typeof passages = { ...passages, 'index.deleted': 2 };

/** The first point from which on readers see what the run made. */
const firstAfterPromotion = (flow: Flow): string =>
  flow === 'refresh' || flow === 'rollback' || isLaterAttempt(flow)
    ? 'swap.afterCommit'
    : 'promote.aliasesMoved';

/** A phase that every run of the flow does while it has the API database: who dies there is taken over from. */
const takenOverAt: Readonly<Partial<Record<Flow, FailpointName>>> = {
  promote: 'reconcile.before',
  retry: 'reindex.before',
};

function precedingOf(flow: Flow, name: string): FailpointName | null {
  if (takeover.includes(name)) return takenOverAt[flow] ?? 'keys.before';
  // One that died has left its row, and what it had open.
  if (name === 'orchestrator.alone' || name === 'orchestrator.ended') return 'wait.before';
  const [phaseName, point = ''] = name.split('.');
  if (!['rows', 'documents', 'deleted', 'marks'].includes(point)) return null;
  if (phaseName === 'reconcile') return 'reconcile.before';
  return phaseName === 'promote' ? 'promote.before' : null;
}

/** Every cell of the matrix, by flow, in the order of a run. */
export const cells: readonly Cell[] = (Object.keys(orders) as Flow[]).flatMap((flow) => {
  const order = orders[flow];
  const promotedFrom = flow === 'recover' ? 0 : order.indexOf(firstAfterPromotion(flow));
  return order.map((name, place): Cell => {
    const failpoint = name as FailpointName;
    return {
      flow,
      failpoint,
      passages: (flow === 'retry-copy' ? passagesOfRetryCopy : passages)[failpoint] ?? 1,
      after: precedingOf(flow, name),
      isBeforePromotion: promotedFrom === -1 || place < promotedFrom,
    };
  });
});

/** Points that no cell has, and cells whose point does not exist: both have to be empty. */
export const uncovered: readonly string[] = Object.keys(failpoints).filter(
  (name) => !cells.some(({ failpoint }) => failpoint === name),
);
export const unknown: readonly string[] = cells
  .map(({ failpoint }) => failpoint)
  .filter((name) => !Object.hasOwn(failpoints, name));

/** A number that stands for the cell, whatever other cells there are: what a round does depends on it and the seed alone. */
export function numberOf({ flow, failpoint }: Pick<Cell, 'flow' | 'failpoint'>): number {
  return createHash('sha256').update(`${flow} ${failpoint}`).digest().readUInt32BE(0);
}
