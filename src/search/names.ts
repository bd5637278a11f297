import { candidateEnding } from '../config/candidateAlias.js';
import { FreshetError } from '../errors.js';
import { indexNameBytesMax, indexSuffixCharsMax } from '../limits.js';
import { isRecord } from './mark.js';

/** Index, alias and write-alias names. Pure. */

const filteredEnding = '-filtered';
const writeAliasBeginning = 'freshet-write-';

/** The main index of a media type: `<alias>-<suffix>`. */
export function indexName(alias: string, suffix: string): string {
  return `${alias}-${suffix}`;
}

/** The filtered index of a media type: `<alias>-<suffix>-filtered`, from the main index' alias. */
export function filteredIndexName(alias: string, suffix: string): string {
  return `${indexName(alias, suffix)}${filteredEnding}`;
}

/** The alias through which a run's own writers write to `index`; removed when the reindex is over, so that a late writer fails. */
export function writeAlias(index: string): string {
  return `${writeAliasBeginning}${index}`;
}

/** Whether only a run's own writers use this alias; any other alias may have readers. */
export function isWriteAlias(alias: string): boolean {
  return alias.startsWith(writeAliasBeginning);
}

/** Whether an alias only shows a held run's candidate: it has the name of one, and refuses writes. Deleting its index takes nothing from the API's readers. */
export function isCandidateAlias(alias: string, definition: unknown): boolean {
  const refusesWrites = isRecord(definition) && definition['is_write_index'] === false;
  return refusesWrites && alias.endsWith(candidateEnding);
}

/**
 * Refuses suffixes that the engines do not accept or that make two names collide (`image` + `abc-filtered` would be the filtered index of
 * `abc`, `image` + `candidate` the alias of a held candidate). `aliases`: the public aliases that it is used with. Throws SUFFIX_INVALID.
 */
export function assertSuffix(suffix: string, aliases: readonly string[] = []): void {
  const fault = faultOf(suffix) ?? lengthFaultOf(suffix, aliases);
  if (fault !== null) {
    throw new FreshetError('SUFFIX_INVALID', `The index suffix ${JSON.stringify(suffix)} ${fault}.`, {
      suffix,
    });
  }
}

function faultOf(suffix: string): string | null {
  if (suffix === '') return 'is empty';
  if (suffix !== suffix.toLowerCase()) return 'has upper-case letters, which index names cannot have';
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(suffix)) {
    return 'may have only letters a to z, digits, ".", "_" and "-", and begins with a letter or digit';
  }
  if (suffix.length > indexSuffixCharsMax) {
    return `has ${suffix.length} characters; ${indexSuffixCharsMax} are possible`;
  }
  const reserved = [filteredEnding, candidateEnding].find((ending) => `-${suffix}`.endsWith(ending));
  return reserved === undefined ? null : `ends with "${reserved.slice(1)}", which freshet adds itself`;
}

function lengthFaultOf(suffix: string, aliases: readonly string[]): string | null {
  for (const alias of aliases) {
    const longest = writeAlias(filteredIndexName(alias, suffix));
    const bytes = Buffer.byteLength(longest);
    if (bytes > indexNameBytesMax) {
      return `makes the name ${longest} of ${bytes} bytes; ${indexNameBytesMax} are possible`;
    }
  }
  return null;
}
