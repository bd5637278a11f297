import { FreshetError } from '../errors.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { readIndex, requireIndex } from './readIndex.js';

export interface AliasMove {
  readonly alias: string;
  /** The index that it shall point at. */
  readonly to: string;
  /** The indexes that it points at now, else nothing is moved; null = wherever it points now. */
  readonly from: readonly string[] | null;
  /** Documents cannot be written or deleted through it. Default false. */
  readonly readOnly?: boolean;
}

/** An alias that an index loses, where it has it. */
export interface AliasRemoval {
  readonly alias: string;
  readonly from: string;
}

export interface AliasMoves {
  /** False when all of them pointed there already, so that nothing was sent. */
  readonly moved: boolean;
  /** Where each alias pointed before. */
  readonly previous: Readonly<Record<string, readonly string[]>>;
}

/** The indexes that an alias points at. */
export async function readAlias(client: SearchClient, alias: string): Promise<string[]> {
  const { status, body } = await callEngine<Record<string, unknown>>(client, {
    method: 'GET',
    path: ['_alias', alias],
    what: `reading the alias ${alias}`,
    accept: [404],
    repeatable: true,
  });
  return status === 404 ? [] : Object.keys(body).sort();
}

/** The one index that an alias points at, or null. Throws ALIAS_MISMATCH where it points at several. */
export async function liveIndexOf(client: SearchClient, alias: string): Promise<string | null> {
  const indexes = await readAlias(client, alias);
  if (indexes.length > 1) throw mismatch(alias, indexes, 'one index');
  return indexes[0] ?? null;
}

/** Throws ALIAS_IS_INDEX where a concrete index has the alias' name (D40): no alias can have it then. */
export async function assertAliasUsable(client: SearchClient, alias: string): Promise<void> {
  if ((await readIndex(client, alias)) === null) return;
  throw new FreshetError('ALIAS_IS_INDEX', `${alias} is an index itself, so that it cannot be an alias.`, {
    alias,
  });
}

/**
 * Moves aliases in one request that the cluster carries out as a whole, and reads them back (D40); what is to be removed goes in the same one.
 * Nothing is sent when they already are where they shall be. Throws ALIAS_MISMATCH (nothing moved, or moved by somebody else meanwhile),
 * ALIAS_IS_INDEX, INDEX_MISSING.
 */
export async function moveAliases(
  client: SearchClient,
  moves: readonly AliasMove[],
  removals: readonly AliasRemoval[] = [],
): Promise<AliasMoves> {
  const holders = new Map<string, string[]>();
  for (const { alias } of moves) holders.set(alias, await readAlias(client, alias));
  const previous = Object.fromEntries(holders);
  const open = moves.filter(
    ({ alias, to, readOnly }) => readOnly === true || !pointsOnlyAt(holders.get(alias), to),
  );
  for (const move of open) await assertMovable(client, move, holders.get(move.alias) ?? []);
  const actions = [
    ...open.flatMap((move) => actionsOf(move, holders.get(move.alias) ?? [])),
    ...(await removalsOf(client, removals)),
  ];
  if (actions.length === 0) return { moved: false, previous };
  await sendMoves(client, actions);
  for (const { alias, to } of moves) {
    const indexes = await readAlias(client, alias);
    if (!pointsOnlyAt(indexes, to)) throw mismatch(alias, indexes, to);
  }
  return { moved: true, previous };
}

async function removalsOf(client: SearchClient, removals: readonly AliasRemoval[]): Promise<object[]> {
  const actions: object[] = [];
  for (const { alias, from } of removals) {
    if (!(await readAlias(client, alias)).includes(from)) continue;
    actions.push({ remove: { index: from, alias, must_exist: true } });
  }
  return actions;
}

function pointsOnlyAt(indexes: readonly string[] | undefined, index: string): boolean {
  return indexes?.length === 1 && indexes[0] === index;
}

async function assertMovable(
  client: SearchClient,
  move: AliasMove,
  holders: readonly string[],
): Promise<void> {
  const expected = move.from === null ? null : [...move.from].sort();
  if (expected !== null && expected.join() !== holders.join()) {
    throw mismatch(move.alias, holders, expected.length === 0 ? 'no index' : expected.join(', '));
  }
  if (holders.length === 0) await assertAliasUsable(client, move.alias);
  await requireIndex(client, move.to);
}

function actionsOf({ alias, to, readOnly }: AliasMove, holders: readonly string[]): object[] {
  const removals = holders
    .filter((index) => index !== to)
    .map((index) => ({ remove: { index, alias, must_exist: true } }));
  // Sent also where it is there: somebody may have made it writable.
  if (readOnly === true) return [...removals, { add: { index: to, alias, is_write_index: false } }];
  return holders.includes(to) ? removals : [...removals, { add: { index: to, alias } }];
}

async function sendMoves(client: SearchClient, actions: readonly object[]): Promise<void> {
  const { body } = await callEngine<{ acknowledged: boolean }>(client, {
    method: 'POST',
    path: ['_aliases'],
    body: { actions },
    what: 'moving the aliases',
  });
  if (!body.acknowledged) {
    throw new FreshetError(
      'SEARCH_TIMEOUT',
      'The search cluster did not confirm in time that the aliases moved.',
      {
        what: 'moving the aliases',
      },
    );
  }
}

function mismatch(alias: string, indexes: readonly string[], expected: string): FreshetError {
  const found = indexes.length === 0 ? 'no index' : indexes.join(', ');
  return new FreshetError('ALIAS_MISMATCH', `The alias ${alias} points at ${found} instead of ${expected}.`, {
    alias,
  });
}
