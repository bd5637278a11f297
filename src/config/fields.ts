import { z } from 'zod';
import { aliasBytesMax, identifierBytesMax } from '../limits.js';
import { hasTick } from './cron.js';

/** Checks of single values. Messages say what is expected and never repeat the value: it may be a secret. */

const tempTablePrefixBytes = Buffer.byteLength('temp_import_');

export const nameField = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, 'must be lower-case letters, digits and _, beginning with a letter.')
  .max(40, 'must have at most 40 characters.');

export const columnField = z
  .string()
  .min(1, 'must not be empty.')
  .refine(
    (name) => Buffer.byteLength(name) <= identifierBytesMax,
    `must have at most ${identifierBytesMax} bytes.`,
  );

function partsOf(relation: string): string[] {
  return relation.split('.');
}

export const relationField = z
  .string()
  .refine((text) => partsOf(text).length <= 2 && partsOf(text).every((part) => part !== ''), {
    error: 'must be `table` or `schema.table`.',
  })
  .refine((text) => partsOf(text).every((part) => Buffer.byteLength(part) <= identifierBytesMax), {
    error: `schema and table must have at most ${identifierBytesMax} bytes each.`,
  });

export const liveTableField = relationField.refine(
  (text) => tempTablePrefixBytes + Buffer.byteLength(partsOf(text).at(-1) ?? '') <= identifierBytesMax,
  `must have at most ${identifierBytesMax - tempTablePrefixBytes} bytes, so that temp_import_<name> is a possible name.`,
);

export const columnTypeField = z
  .string()
  .regex(
    /^[a-z][a-z0-9_ ]*(\(\d+(, ?\d+)?\))?( [a-z][a-z ]*)?(\[\])*$/i,
    'must be a Postgres type such as `double precision`.',
  );

/** Rules of the engines for index and alias names. */
export const aliasField = z
  .string()
  .min(1, 'must not be empty.')
  .refine(
    (name) => name === name.toLowerCase(),
    'must be lower case: the engines refuse upper case in names.',
  )
  .refine(
    (name) => !/[\\/*?"<>| ,#:]/.test(name),
    'must not contain any of \\ / * ? " < > | , # : or a space.',
  )
  .refine((name) => !/^[-_+]/.test(name), 'must not begin with - _ or +.')
  .refine((name) => name !== '.' && name !== '..', 'must not be . or ..')
  .refine((name) => Buffer.byteLength(name) <= aliasBytesMax, `must have at most ${aliasBytesMax} bytes.`);

/** `5s`, `500ms`, `1m`. Not -1: a serving index that never refreshes shows no later change. */
export const refreshIntervalField = z
  .string()
  .regex(/^[1-9]\d*(ms|s|m)$/, 'must be a time such as `1s`, `500ms` or `1m`.');

const cronRanges: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];

/** `*`, `5`, `1-5`, each with `/step`, in a list. Names of months and days are not taken. */
function isCronField(field: string, [low, high]: readonly [number, number]): boolean {
  return field.split(',').every((part) => {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return false;
    const [first, last, step] = match.slice(1).map((text) => (text === undefined ? undefined : Number(text)));
    if (step === 0) return false;
    if (first === undefined) return true;
    return first >= low && (last ?? first) <= high && first <= (last ?? first);
  });
}

/** Whether the text is a cron expression of five fields: minute, hour, day of month, month, day of week. */
export function isCronExpression(text: string): boolean {
  const fields = text.trim().split(/\s+/);
  return (
    fields.length === cronRanges.length &&
    cronRanges.every((range, index) => isCronField(fields[index] ?? '', range))
  );
}

export const scheduleField = z
  .string()
  .refine(
    isCronExpression,
    'must be a cron expression of five numeric fields in UTC, such as `0 0 * * 1` (Monday, midnight).',
  )
  .refine(
    (text) => !isCronExpression(text) || hasTick(text),
    'names no time that ever comes: no such day, or a step that is larger than its field.',
  );

export function countField(min: number, max: number, unit: string): z.ZodInt {
  const message = `must be a whole number of ${unit} from ${min} to ${max}.`;
  return z.int(message).min(min, message).max(max, message);
}

const shareMessage = 'must be a share of 1, from 0 to 1, or null for no check.';
export const shareField = z.number(shareMessage).min(0, shareMessage).max(1, shareMessage).nullable();
