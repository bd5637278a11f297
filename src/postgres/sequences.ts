import { FreshetError } from '../errors.js';
import type { QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import type { TableShape } from './tableShape.js';

/** Where the ids of a table come from and how far they got. */
export interface IdSequence {
  /** The sequence that the id column's default calls; null where there is none. */
  readonly sequence: QualifiedName | null;
  readonly lastValue: bigint | null;
  readonly isCalled: boolean;
  readonly maxValue: bigint | null;
  /** The largest value of the column's type. */
  readonly typeMax: bigint;
  /** Null where the table is empty. */
  readonly maxId: bigint | null;
  /** Over all kept previous tables; null where there is none. */
  readonly previousMaxId: bigint | null;
}

/** Reads the state of the ids of `idColumn` of the live table and of the kept previous ones. */
export async function readIdSequence(
  session: Session,
  shape: TableShape,
  idColumn: string,
): Promise<IdSequence> {
  await session.query('select 1');
  throw new FreshetError('INTERNAL', `not there yet: ${shape.name.name} ${idColumn}`);
}

/** The first id that no record ever had: above the sequence, the live table and every kept previous table. */
export function firstNewId(ids: IdSequence): bigint {
  return ids.typeMax;
}

export interface IdRange {
  readonly first: bigint;
  /** How many new records there may be at most. */
  readonly expectedNew: bigint;
  readonly typeMax: bigint;
}

/** Throws SEQUENCE_EXHAUSTED where the ids do not suffice. `ids` makes the message say where they went. */
export function assertIdsFit(range: IdRange, ids?: IdSequence): void {
  throw new FreshetError('INTERNAL', `not there yet: ${range.first} ${String(ids?.maxId)}`);
}
