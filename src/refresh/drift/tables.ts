import type { RefreshDefinition } from '../../config/types.js';
import { listHolders, type Holder } from '../../postgres/holders.js';
import { hasMarks, listParts, type Part } from '../../postgres/marks.js';
import { listNewestSwaps, type NewestSwap } from '../../postgres/promotions.js';
import { withSession } from '../../postgres/session.js';
import { findRelation } from '../../postgres/tempTable.js';
import { readStateId } from '../../state/identity.js';
import type { Services } from '../context.js';
import { liveNameOf, tablesOf } from '../tables.js';

/** A table that the API reads. */
export interface LiveTable {
  /** `schema.name` */
  readonly name: string;
  /** As generations name it. */
  readonly key: string;
  /** Null = there is none. */
  readonly oid: number | null;
  /** Null = it carries none that fits it. */
  readonly mark: Part | null;
}

export interface TableFacts {
  readonly tables: readonly LiveTable[];
  /** Null = the tables were never swapped. */
  readonly swap: NewestSwap | null;
  /** A run of another state database that holds the API database. */
  readonly foreign: Holder | null;
}

/** What the API database says about a media type. */
export async function readTableFacts(
  { state, resolve }: Pick<Services, 'state' | 'resolve'>,
  { environment, media }: RefreshDefinition,
  limitMs?: number,
): Promise<TableFacts> {
  const { apiUrl } = await resolve(environment.name);
  const stateId = await readStateId(state);
  const limit = limitMs === undefined ? {} : { limitMs };
  const options = { applicationName: 'freshet compare', called: 'API database', ...limit };
  return withSession(apiUrl, options, async (session) => {
    const isMarked = await hasMarks(session);
    const parts = isMarked ? await listParts(session, media.name) : [];
    const swaps = isMarked ? await listNewestSwaps(session) : [];
    const tables: LiveTable[] = [];
    for (const name of tablesOf(media).map(liveNameOf)) {
      const oid = await findRelation(session, name);
      const mark = parts.find((part) => part.oid === oid) ?? null;
      tables.push({ name: `${name.schema}.${name.name}`, key: name.name, oid, mark });
    }
    return {
      tables,
      swap: swaps.find(({ record }) => record.media === media.name) ?? null,
      foreign: (await listHolders(session)).find((holder) => holder.stateId !== stateId) ?? null,
    };
  });
}
