import { createHash } from 'node:crypto';
import { identifierBytesMax } from '../limits.js';

/** Cuts `name` to at most `bytesMax` bytes of UTF-8, never inside a character. */
export function cutToBytes(name: string, bytesMax: number): string {
  let cut = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > bytesMax) break;
    cut += character;
  }
  return cut;
}

/** Eight hexadecimal digits that stand for `text`: run ids may share their beginning (time), so it is a digest. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** `prefix` + `name` + `suffix`, the name cut so that it fits into a Postgres name. */
export function fitName(prefix: string, name: string, suffix: string): string {
  return prefix + cutToBytes(name, identifierBytesMax - Buffer.byteLength(prefix + suffix)) + suffix;
}

/**
 * The name that an index of a temp table has until the swap. The live table's oid keeps tables of one run apart that share a schema; the
 * same run always gives the same name, so that a repeated step finds what it built before.
 */
export function generatedIndexName(runId: string, liveOid: number, position: number): string {
  return `freshet_${digestOf(runId)}_${liveOid}_${position}`;
}

/**
 * What the live table is called after `runId` replaced it. The run keeps it apart from the generation before; where the name has to be cut,
 * the digest also keeps it apart from another table of the run that begins alike.
 */
export function previousTableName(liveName: string, runId: string): string {
  const whole = `freshet_previous_${liveName}_${digestOf(runId)}`;
  if (Buffer.byteLength(whole) <= identifierBytesMax) return whole;
  return fitName('freshet_previous_', liveName, `_${digestOf(`${runId} ${liveName}`)}`);
}

/** What an index of the live table is called after `runId` replaced its table. */
export function previousIndexName(runId: string, liveOid: number, position: number): string {
  return `freshet_previous_${digestOf(runId)}_${liveOid}_${position}`;
}

/** Kinds of objects beside indexes whose names are unique in a schema: sequences of identity columns, statistics objects. */
export type NamedKind = 'identity' | 'statistics';

/** The name that a temp table's n-th object of a kind has until the swap. */
export function generatedObjectName(
  runId: string,
  liveOid: number,
  kind: NamedKind,
  position: number,
): string {
  return `freshet_${digestOf(runId)}_${liveOid}_${kind}_${position}`;
}

/** What the live table's n-th object of a kind is called after `runId` replaced its table. */
export function previousObjectName(
  runId: string,
  liveOid: number,
  kind: NamedKind,
  position: number,
): string {
  return `freshet_previous_${digestOf(runId)}_${liveOid}_${kind}_${position}`;
}

/** The table in our schema that keeps the orphans which `runId` found behind its n-th foreign key. */
export function keptOrphansName(runId: string, position: number): string {
  return `orphans_${digestOf(runId)}_${position}`;
}
