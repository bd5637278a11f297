import type { TestParts } from '../setup/parts.js';
import { Lane } from './lane.js';
import { cells, type Cell, type Flow } from './matrix.js';
import { runRound, type RoundOutcome, type RoundPlan } from './round.js';

/** Where a mistake between two effects costs most: each of these points has a run of its own, also in the short form. */
const single =
  /^(enqueue|orchestrator|takeover|worker|swap)\.|^(copy\.(beforeCommit|afterCommit)|preflight\.index|window\.waiting)$|^promote\.(tablesSwapped|aliasesMoved|parts|generation)$|^end\.(released|after)$/;

/** Points that the filtered-index flow has beside those of a refresh, or passes with something else behind it. */
const ownOfFilteredIndex =
  /^(applied-sets\.|create-indexes\.filtered|promote\.(begun|aliasesMoved|parts|generation|recorded))/;

/** What a rollback does otherwise than a promotion. */
const ownOfRollback =
  /^(reconcile\.(rows|documents|marks)|swap\.(beforeCommit|afterCommit)|promote\.(aliasesMoved|parts|generation|recorded))$/;

/** Deaths of one run at most. */
const chainMax = 6;

export const wholeMatrix: readonly RoundPlan['cells'][] = cells.map((cell) => [cell] as const);

/**
 * The short form: every failpoint once, a refresh for most, the others in their own flows. Neighbours of one phase share a run, which dies at each
 * of them in turn.
 */
export function shortMatrix(): RoundPlan['cells'][] {
  const chains: [Cell, ...Cell[]][] = [];
  for (const cell of cells.filter(isInShortForm)) {
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
