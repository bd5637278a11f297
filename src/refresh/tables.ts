import type { MediaConfig, TableMapping } from '../config/types.js';
import { parseQualifiedName, tempTableOf, type QualifiedName } from '../postgres/identifiers.js';
import type { Session } from '../postgres/session.js';
import { describeTable, type TableShape } from '../postgres/tableShape.js';
import { planTempTable, type TempTablePlan } from '../postgres/tempTablePlan.js';
import type { RunContext } from './context.js';

/** The tables of a media type, the main one first. */
export function tablesOf(media: MediaConfig): readonly TableMapping[] {
  return [media.main, ...media.additional];
}

export function liveNameOf(mapping: TableMapping): QualifiedName {
  return parseQualifiedName(mapping.downstream);
}

/** The table whose rows are indexed: the temp table, or the live one when the copy is skipped. */
export function indexedTableOf({ definition, run }: RunContext): QualifiedName {
  const live = liveNameOf(definition.media.main);
  return run.parameters.skipCopyData ? live : tempTableOf(live);
}

/** What the live tables have, read now. */
export async function describeLiveTables(session: Session, media: MediaConfig): Promise<TableShape[]> {
  const shapes: TableShape[] = [];
  for (const mapping of tablesOf(media)) shapes.push(await describeTable(session, liveNameOf(mapping)));
  return shapes;
}

/** The plans of the temp tables, in the order of `tablesOf`. */
export async function planTables(
  session: Session,
  { definition, run }: RunContext,
): Promise<TempTablePlan[]> {
  const shapes = await describeLiveTables(session, definition.media);
  return tablesOf(definition.media).map((mapping, index) => {
    const shape = shapes[index];
    if (shape === undefined) throw new Error(`no shape of ${mapping.downstream}`);
    const siblings = shapes.filter((other) => other !== shape);
    return planTempTable(shape, run.id, { siblings, addedColumns: Object.keys(mapping.addedColumns) });
  });
}
