import { recordLimitOf } from '../../config/definitions.js';
import type { RefreshDefinition, TableMapping } from '../../config/types.js';
import { FreshetError } from '../../errors.js';
import { hasMarks, readPart } from '../../postgres/marks.js';
import type { Session } from '../../postgres/session.js';
import { findRelation } from '../../postgres/tempTable.js';
import { liveIndexOf } from '../../search/aliases.js';
import type { SearchClient } from '../../search/client.js';
import { readIndex } from '../../search/index.js';
import { findRun } from '../../state/runs.js';
import type { Services } from '../context.js';
import { liveNameOf, tablesOf } from '../tables.js';

/** A live table and where its rows come from. */
export interface LiveTable {
  readonly mapping: TableMapping;
  readonly oid: number;
  /** When the catalog's snapshot of its rows was taken; null = not known: nobody's mark, or a table that was there before freshet. */
  readonly snapshotAt: Date | null;
  /** The run that copied it; null = not known. */
  readonly runId: string | null;
  /** Rows copied at most, by key. */
  readonly recordLimit: number | null;
}

/** A live index. */
export interface LiveIndex {
  readonly name: string;
  /** The run that made it; null = not known. */
  readonly runId: string | null;
}

/** What is live: what a comparison is of. */
export interface LiveTarget {
  /** The main table first. */
  readonly tables: readonly LiveTable[];
  readonly main: LiveIndex;
  /** Null where its alias points at nothing. */
  readonly filtered: LiveIndex | null;
  /** Whether freshet's own tables are in the API database. */
  readonly hasMarks: boolean;
}

/** Reads what is live now. Throws NOTHING_LIVE, ALIAS_MISMATCH. */
export async function readTarget(
  services: Pick<Services, 'state' | 'config'>,
  definition: RefreshDefinition,
  api: Session,
  search: SearchClient,
): Promise<LiveTarget> {
  const { media } = definition;
  const marked = await hasMarks(api);
  const tables: LiveTable[] = [];
  for (const mapping of tablesOf(media))
    tables.push(await readTable(services, definition, mapping, api, marked));
  const main = await readLiveIndex(search, media.index.alias);
  if (main === null) throw nothingLive(definition, `the alias ${media.index.alias} points at no index`);
  const filtered = await readLiveIndex(search, media.index.filteredAlias);
  return { tables, main, filtered, hasMarks: marked };
}

async function readTable(
  { state, config }: Pick<Services, 'state' | 'config'>,
  definition: RefreshDefinition,
  mapping: TableMapping,
  api: Session,
  marked: boolean,
): Promise<LiveTable> {
  const oid = await findRelation(api, liveNameOf(mapping));
  if (oid === null)
    throw nothingLive(definition, `there is no table ${mapping.downstream} in the API database`);
  const part = marked ? await readPart(api, oid) : null;
  const run = part === null ? null : await findRun(state, part.runId);
  return {
    mapping,
    oid,
    snapshotAt: part?.snapshotAt ?? null,
    runId: part?.runId ?? null,
    recordLimit: run === null ? recordLimitOf(config, definition) : run.parameters.recordLimit,
  };
}

async function readLiveIndex(search: SearchClient, alias: string): Promise<LiveIndex | null> {
  const name = await liveIndexOf(search, alias);
  if (name === null) return null;
  return { name, runId: (await readIndex(search, name))?.mark?.runId ?? null };
}

function nothingLive(definition: RefreshDefinition, what: string): FreshetError {
  return new FreshetError('NOTHING_LIVE', `Nothing of ${definition.id} is live: ${what}.`, {
    definition: definition.id,
  });
}

/** Whether the same tables and indexes are live. */
export function isSameTarget(a: LiveTarget, b: LiveTarget): boolean {
  const partsOf = ({ tables, main, filtered }: LiveTarget): string =>
    JSON.stringify([tables.map(({ oid }) => oid), main.name, filtered?.name ?? null]);
  return partsOf(a) === partsOf(b);
}
