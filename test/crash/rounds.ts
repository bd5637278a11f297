import type { TestParts } from '../setup/parts.js';
import { Lane } from './lane.js';
import type { FailpointName } from '../../src/failpoints.js';
import { cells, isLaterAttempt, type Cell, type Flow, type LaterAttempt } from './matrix.js';
import type { RoundPlan } from './plan.js';
import { runRound, type RoundOutcome } from './round.js';

/** Where a mistake between two effects costs most: each of these points has a run of its own, also in the short form. */
const single =
  /^(worker|swap|recover)\.|^(enqueue\.afterCommit|orchestrator\.locked|copy\.(beforeCommit|afterCommit)|preflight\.index|window\.waiting)$|^promote\.(tablesSwapped|aliasesMoved|parts|generation)$|^end\.(released|after)$/;

/** Points that the filtered-index flow has beside those of a refresh, or passes with something else behind it. */
const ownOfFilteredIndex =
  /^(applied-sets\.|create-indexes\.filtered|promote\.(begun|aliasesMoved|parts|generation|recorded))/;

/** What a rollback does otherwise than a promotion. */
const ownOfRollback =
  /^(reconcile\.(rows|documents|marks)|swap\.(beforeCommit|afterCommit)|promote\.(aliasesMoved|parts|generation|recorded))$/;

/** Deaths of one run at most. */
const chainMax = 6;

/**
 * What the short form takes of later attempts: where a second attempt is unlike a first one (it is added to a run that there is, goes on with what
 * another one made, and must be promoted once in all). The rest of their phases is that of a refresh.
 */
const laterAttempts: readonly (readonly [LaterAttempt, ...FailpointName[]])[] = [
  [
    'promote',
    'enqueue.written',
    'enqueue.beforeCommit',
    'enqueue.afterCommit',
    'wait.held',
    'preflight.applied',
  ],
  ['promote', 'reconcile.deleted', 'verify.checked', 'show-candidate.added', 'before-hooks.called'],
  ['promote', 'swap.afterCommit'],
  ['promote', 'promote.aliasesMoved'],
  ['promote', 'promote.generation', 'clean-up.indexes', 'end.released'],
  ['promote', 'end.after'],
  [
    'retry',
    'enqueue.afterCommit',
    'wait.leased',
    'reindex.planned',
    'reindex.claimed',
    'filtered-index.range',
  ],
  [
    'retry-copy',
    'enqueue.beforeCommit',
    'copy.beforeCommit',
    'copy.afterCommit',
    'keys.key',
    'index.deleted',
  ],
];

export const wholeMatrix: readonly RoundPlan['cells'][] = cells.map((cell) => [cell] as const);

/** The short form: every failpoint once, a refresh for most, the others in their own flows; and some of the later attempts. */
export function shortMatrix(): RoundPlan['cells'][] {
  const chosen = laterAttempts.map(([flow, ...names]) => chainOf(flow, names));
  return [...chained(cells.filter(isInShortForm)), ...chosen];
}

function chainOf(flow: Flow, names: readonly FailpointName[]): RoundPlan['cells'] {
  const found = names.map((name) => cells.find((cell) => cell.flow === flow && cell.failpoint === name));
  const [first, ...others] = found.filter((cell) => cell !== undefined);
  if (first === undefined || others.length + 1 < names.length)
    throw new Error(`${flow} does not come by all of ${names.join(', ')}`);
  return [first, ...others];
}

/** Neighbours of one phase share a run, which dies at each of them in turn. */
export function chained(selected: readonly Cell[]): RoundPlan['cells'][] {
  const chains: [Cell, ...Cell[]][] = [];
  for (const cell of selected) {
    const last = chains.at(-1);
    if (last !== undefined && last.length < chainMax && isNeighbour(last[0], cell)) last.push(cell);
    else chains.push([cell]);
  }
  return chains;
}

function isInShortForm({ flow, failpoint }: Cell): boolean {
  if (flow === 'refresh') return true;
  if (flow === 'rollback') return ownOfRollback.test(failpoint);
  if (flow === 'filtered-index') return ownOfFilteredIndex.test(failpoint);
  if (isLaterAttempt(flow)) return false;
  return !cells.some((other) => other.flow === 'refresh' && other.failpoint === failpoint);
}

function isNeighbour(one: Cell, other: Cell): boolean {
  const isSingle = single.test(one.failpoint) || single.test(other.failpoint);
  return (
    !isSingle && one.flow === other.flow && one.failpoint.split('.')[0] === other.failpoint.split('.')[0]
  );
}

/** The command that repeats a round alone. */
export function repeatCommand({ seed, cells: chain }: RoundPlan): string {
  const [{ flow }] = chain;
  const names = chain.map(({ failpoint }) => failpoint).join(',');
  return `npm run test:crash -- --seeds 1 --from ${seed} --flow ${flow} --only ${names}${chain.length > 1 ? ' --chain' : ''}`;
}

export function describeRound({ seed, cells: chain }: RoundPlan): string {
  return `seed ${seed}, ${chain[0].flow}: killed at ${chain.map(({ failpoint }) => failpoint).join(', ')}`;
}

/** The cells that a name, or a beginning of names such as `swap`, stands for. */
export function selectCells(names: readonly string[], flow: Flow | null): Cell[] {
  return cells.filter(
    (cell) =>
      (flow === null || cell.flow === flow) &&
      names.some((name) => cell.failpoint === name || cell.failpoint.startsWith(`${name}.`)),
  );
}

/** Lanes of one seed, made when they are first needed: making one takes four refreshes. */
export class Lanes {
  private readonly free: Lane[] = [];
  private readonly made: Lane[] = [];

  constructor(
    private readonly parts: TestParts,
    private readonly seed: number,
  ) {}

  /** At most as many rounds at a time as there shall be lanes. */
  async run(plan: RoundPlan): Promise<RoundOutcome> {
    const lane = this.free.pop() ?? (await this.make());
    try {
      return await runRound(lane, plan);
    } finally {
      this.free.push(lane);
    }
  }

  private async make(): Promise<Lane> {
    const lane = await Lane.create(this.parts, this.seed);
    this.made.push(lane);
    return lane;
  }

  async drop(): Promise<void> {
    for (const lane of this.made) await lane.drop();
  }
}
