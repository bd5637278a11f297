/** The alias under which a held run's candidate can be looked at: the public alias with `-candidate` behind it. */
export function candidateAlias(alias: string): string {
  return `${alias}${candidateEnding}`;
}

/** What such an alias ends with; an index of that name would be in its way. */
export const candidateEnding = '-candidate';
