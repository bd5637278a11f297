import type { State } from './state.js';

/** What tells this state database from every other: written beside what runs of it hold elsewhere. */
export async function readStateId(state: State): Promise<string> {
  const { rows } = await state.pool.query<{ id: string }>('select id from freshet.identity');
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the state database has no identity');
  return id;
}
