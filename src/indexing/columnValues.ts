import pg from 'pg';

/** Turns Postgres' text of a value into the value of a SourceRow (`documents/types.ts` says which). */
export type ValueDecoder = (text: string) => unknown;

/** Oids of the built-in types, which no database changes (pg_type.dat). Every other type stays text. */
const oids = {
  boolean: [16],
  bigint: [20],
  integer: [21, 23, 26],
  float: [700, 701],
  json: [114, 3802],
  timestamp: [1114, 1184],
  // text, varchar, bpchar, name
  textArray: [1009, 1015, 1014, 1003],
} as const;

const decoders: ReadonlyMap<number, ValueDecoder> = new Map<number, ValueDecoder>([
  ...entries(oids.boolean, (text) => text === 't'),
  ...entries(oids.bigint, decodeBigint),
  ...entries(oids.integer, Number),
  ...entries(oids.float, decodeFloat),
  ...entries(oids.json, (text) => JSON.parse(text) as unknown),
  ...entries(oids.textArray, decodeTextArray),
]);

function entries(types: readonly number[], decoder: ValueDecoder): [number, ValueDecoder][] {
  return types.map((oid) => [oid, decoder]);
}

/**
 * The decoder of a column of type `oid`. The session must print dates as ISO in UTC.
 * @param onDateLeftOut called for each date that becomes null because the search engine cannot hold it.
 */
export function decoderOf(oid: number, onDateLeftOut: () => void): ValueDecoder {
  if (!(oids.timestamp as readonly number[]).includes(oid)) return decoders.get(oid) ?? keepText;
  return (text) => {
    const date = decodeTimestamp(text);
    if (date === null) onDateLeftOut();
    return date;
  };
}

function keepText(text: string): string {
  return text;
}

/** A number where it is exact, else the decimal text: a rounded id would name another record. */
function decodeBigint(text: string): number | string {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : text;
}

/** JSON has no NaN and no infinities: null. */
function decodeFloat(text: string): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/**
 * `2024-03-28 01:02:03.456+00` → `2024-03-28T01:02:03.456+00:00`; a timestamp without zone is taken as UTC. Null for what the search engine's
 * date cannot hold: years beyond 9999, BC, infinity.
 */
export function decodeTimestamp(text: string): string | null {
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(?::?(\d\d))?)?$/.exec(text);
  if (parts === null) return null;
  const [, date, time, hours = '+00', minutes = '00'] = parts;
  return `${date}T${time}${hours}:${minutes}`;
}

// The driver's types list no arrays, though it parses them.
const textArrayOid = 1009 as Parameters<typeof pg.types.getTypeParser>[0];
const parseTextArray = pg.types.getTypeParser(textArrayOid, 'text') as (text: string) => unknown[];

/** The texts of an array in order; nulls in it are left out, dimensions flattened. */
function decodeTextArray(text: string): string[] {
  return parseTextArray(text)
    .flat(6)
    .filter((element) => typeof element === 'string');
}
