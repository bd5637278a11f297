import type { Session } from '../../../src/postgres/session.js';
import { readTableShape } from '../../integration/scenarios/tableShape.js';

/** What Postgres' catalog says of tables of the schema `public`: columns, keys both ways, indexes, views, grants, comments, sequences. */
export async function readShape(session: Session, tables: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  for (const table of tables) {
    const shape = await readTableShape(session, `public."${table}"`);
    lines.push(...shape.map((line) => `${table}: ${line}`));
  }
  const { rows } = await session.query<{ line: string }>(
    `select indexrelid::regclass || ' is not valid' as line from pg_index where not indisvalid`,
  );
  return [...lines, ...rows.map(({ line }) => line)];
}

export function compareShapes(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `gone from the catalog: ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `new in the catalog: ${line}`),
  ];
}
