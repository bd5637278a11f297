import { createHash } from 'node:crypto';
import { failpoints, type FailpointName } from '../../src/failpoints.js';

/** Which points are passed in which flow, in which order, and what else a round needs to get there. */

/** `rollback`: to what was live before; `hold`: held, then promoted; `window`: waits for its window; `cancel`: cancelled when all is made; `sweep`: after a run that failed. */
export type Flow =
  'refresh' | 'skip-copy' | 'filtered-index' | 'rollback' | 'hold' | 'window' | 'cancel' | 'sweep';

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

const filling = [
  ...phase(
    'filtered-index',
    ...['index.deleted', 'matched', 'started', 'copied', 'range', 'filled', 'closed'],
  ),
  ...phase('serving', 'vacuumed', 'settings', 'main'),
  ...phase('reconcile', 'rows', 'documents', 'deleted', 'marks'),
  ...phase('verify', 'begun', 'checked'),
  ...phase('window'),
  ...phase('before-hooks', 'next', 'called'),
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
  ...['enqueue.beforeCommit', 'enqueue.afterCommit', 'orchestrator.locked'],
  ...phase('wait', 'waiting', 'leased', 'held'),
];
const reindexing = phase(
  'reindex',
  ...['planned', 'requested', 'ready', 'claimed', 'started', 'worker.rows', 'worker.written'],
  ...['slice', 'indexed', 'closed'],
);

/** The points of a flow in the order in which a run passes them; `reindex` and `constraints` go on beside each other. */
const orders: Readonly<Record<Flow, readonly string[]>> = {
  refresh: [
    ...beginning,
    ...phase('preflight', 'looked', 'tables', 'indexes', 'applied'),
    ...phase('count-before', 'counted'),
    ...phase('copy', 'beforeCreate', 'middle', 'filled', 'beforeCommit', 'afterCommit'),
    ...phase('keys', 'takeover.sessions', 'index', 'key', 'all'),
    ...phase('create-indexes', 'main', 'filtered'),
    ...reindexing,
    ...phase('constraints', ...['index', 'indexes', 'checks', 'foreignKey', 'foreignKeys', 'statement']),
    ...filling,
    ...['promote.before', 'promote.begun', 'swap.before', 'swap.locked', 'swap.beforeCommit'],
    ...[
      'swap.afterCommit',
      'promote.tablesSwapped',
      'promote.aliasesMoved',
      'promote.parts',
      'promote.generation',
    ],
    ...[...reconciling, 'promote.reconciled', 'promote.validated', 'promote.after', 'promote.recorded'],
    ...ending,
  ],
  'skip-copy': [
    ...phase('preflight', 'looked', 'tables', 'indexes', 'applied'),
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
  window: ['window.waiting'],
  cancel: ['undo.tables', 'undo.index', 'undo.indexes', 'undo.forgotten', 'end.undone', 'end.released'],
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

/** The first point from which on readers see what the run made. */
const firstAfterPromotion = (flow: Flow): string =>
  flow === 'refresh' || flow === 'rollback' ? 'swap.afterCommit' : 'promote.aliasesMoved';

function precedingOf(name: string): FailpointName | null {
  if (name === 'takeover.sessions') return 'keys.before';
  const [phaseName, point = ''] = name.split('.');
  if (!['rows', 'documents', 'deleted', 'marks'].includes(point)) return null;
  if (phaseName === 'reconcile') return 'reconcile.before';
  return phaseName === 'promote' ? 'promote.before' : null;
}

/** Every cell of the matrix, by flow, in the order of a run. */
export const cells: readonly Cell[] = (Object.keys(orders) as Flow[]).flatMap((flow) => {
  const order = orders[flow];
  const promotedFrom = order.indexOf(firstAfterPromotion(flow));
  return order.map((name, place): Cell => {
    const failpoint = name as FailpointName;
    return {
      flow,
      failpoint,
      passages: passages[failpoint] ?? 1,
      after: precedingOf(name),
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
