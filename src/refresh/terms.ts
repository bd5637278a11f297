import { resolveSecret } from '../config/secrets.js';
import { loadTerms, TermList } from '../search/terms.js';
import type { RunContext } from './context.js';

/** The list of sensitive terms, read anew by every try; it goes into no state and no log. Throws TERMS_UNUSABLE. */
export async function readTerms({
  definition,
  env,
  cancelled: signal,
}: Pick<RunContext, 'definition' | 'env' | 'cancelled'>): Promise<TermList> {
  const configured = definition.environment.sensitiveTerms;
  if (configured === null) return new TermList([]);
  const keyPath = `environments.${definition.environment.name}.sensitiveTerms.from`;
  const from = await resolveSecret(configured.from, env, keyPath);
  return loadTerms({ from, allowEmpty: configured.allowEmpty, signal });
}
