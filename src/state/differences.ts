import type { State } from './state.js';

/** Something that is live and is not as the state and the configuration say. */
export interface Difference {
  readonly environment: string;
  readonly media: string;
  /** What differs: `alias image`, `table public.image`, `settings of image-abc`. One difference per subject. */
  readonly subject: string;
  readonly expected: string;
  readonly found: string;
  /** What to do. */
  readonly remedy: string;
}

/**
 * Replaces the known differences of a media type by those that were found now.
 * @returns what is new, and what has ended: each is told once.
 */
export async function replaceDifferences(
  state: State,
  { environment, media }: Pick<Difference, 'environment' | 'media'>,
  found: readonly Difference[],
): Promise<{ begun: Difference[]; ended: Difference[] }> {
  const columns = 'environment, media, subject, expected, found, remedy';
  const { rows: ended } = await state.pool.query<Difference>(
    `delete from freshet.differences where environment = $1 and media = $2 and subject <> all($3::text[]) returning ${columns}`,
    [environment, media, found.map(({ subject }) => subject)],
  );
  const begun: Difference[] = [];
  for (const one of found) {
    const { rowCount } = await state.pool.query(
      `insert into freshet.differences (${columns}) values ($1, $2, $3, $4, $5, $6)
       on conflict (environment, media, subject) do update set expected = excluded.expected, found = excluded.found, remedy = excluded.remedy
         where (differences.expected, differences.found) is distinct from (excluded.expected, excluded.found)`,
      [environment, media, one.subject, one.expected, one.found, one.remedy],
    );
    if (rowCount === 1) begun.push(one);
  }
  return { begun, ended };
}
