import type { Variables } from '../../config/complete.js';
import { resolveSecret } from '../../config/secrets.js';
import type { EnvironmentConfig } from '../../config/types.js';
import { loadTerms } from '../../search/terms.js';
import { ok, warning, type Finding } from './finding.js';

/** Loads the list of sensitive terms, which a run needs only hours after its start. Throws where it cannot be used; shows its length only. */
export async function checkTerms(
  { name, sensitiveTerms }: EnvironmentConfig,
  env: Variables,
): Promise<Finding[]> {
  const key = `environments.${name}.sensitiveTerms`;
  if (sensitiveTerms === null) {
    if (name === 'local') return [];
    return [
      warning(
        'sensitive terms',
        'There is no list of sensitive terms: the filtered index will equal the main one.',
        `Give one as \`${key}\`.`,
      ),
    ];
  }
  const from = await resolveSecret(sensitiveTerms.from, env, `${key}.from`);
  const terms = await loadTerms({ from, allowEmpty: sensitiveTerms.allowEmpty });
  return [ok('sensitive terms', `${terms.count} terms.`)];
}
