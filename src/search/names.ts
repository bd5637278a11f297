import { FreshetError } from '../errors.js';
import { indexNameBytesMax, indexSuffixCharsMax } from '../limits.js';

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

/**
 * Refuses suffixes that the engines do not accept or that make two names collide (`image` + `abc-filtered` would be the filtered index of
 * `abc`). `aliases`: the public aliases that it is used with. Throws SUFFIX_INVALID.
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
  return `-${suffix}`.endsWith(filteredEnding)
    ? `ends with "${filteredEnding.slice(1)}", which freshet adds itself`
    : null;
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
