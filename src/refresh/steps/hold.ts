import { failpoint } from '../../failpoints.js';
import { addCandidateAliases } from '../candidateAlias.js';
import type { Step } from '../phase.js';

/** A run that was asked to hold shows its verified candidate under aliases of its own. They go with the promotion, or with the candidate. */
export const showCandidate: Step<{ aliases: readonly string[] }> = async (context) => {
  const aliases = await addCandidateAliases(context);
  failpoint('show-candidate.added');
  return { aliases };
};
