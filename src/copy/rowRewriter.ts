import type { TableMapping, TagRules, TransformRow } from '../config/types.js';
import { FreshetError, messageOf } from '../errors.js';
import { decodeField, decodeFields, encodeField, fieldBounds } from '../postgres/copyText.js';
import type { ColumnPlan } from './columnPlan.js';
import type { RowCounts } from './counts.js';
import { filterTags } from './tagRules.js';
import { addUrlScheme } from './urlSchemes.js';

/** Changes a field's bytes; the same object where nothing has to change. */
type FieldEdit = (field: Buffer) => Buffer;

/** Changes a row of the wide scan: the same object where nothing has to change, null where the row is left out. */
export type RowRewriter = (line: Buffer) => Buffer | null;

type RewrittenTable = Pick<TableMapping, 'downstream' | 'addUrlSchemesTo' | 'transform'>;

/** The rewriter of a table: tag rules, then URL schemes, then the `transform` hook. Null where rows go through untouched. */
export function buildRowRewriter(
  mapping: RewrittenTable,
  tagRules: TagRules | null,
  plan: ColumnPlan,
  counts: RowCounts,
): RowRewriter | null {
  const edits = planEdits(mapping, tagRules, plan, counts);
  const edit = edits.length === 0 ? null : (line: Buffer) => editFields(line, edits);
  const { transform } = mapping;
  if (transform === null) return edit;
  const names = [...plan.narrow, ...plan.wide].map((column) => column.name);
  const hook = { table: mapping.downstream, names, keyCount: plan.narrow.length, transform };
  return (line) => transformLine(edit === null ? line : edit(line), hook);
}

interface PlacedEdit {
  readonly position: number;
  readonly edit: FieldEdit;
}

/** The edits of a table's fields, by position. */
function planEdits(
  mapping: RewrittenTable,
  tagRules: TagRules | null,
  plan: ColumnPlan,
  counts: RowCounts,
): PlacedEdit[] {
  const names = [...plan.narrow, ...plan.wide].map((column) => column.name);
  const edits: PlacedEdit[] = mapping.addUrlSchemesTo.map((name) => ({
    position: names.indexOf(name),
    edit: editUrl,
  }));
  if (tagRules !== null) {
    edits.push({
      position: names.indexOf(tagRules.column),
      edit: (field) => editTags(field, tagRules, counts),
    });
  }
  return edits.sort((a, b) => a.position - b.position);
}

function editFields(line: Buffer, edits: readonly PlacedEdit[]): Buffer {
  const bounds = fieldBounds(line, (edits.at(-1)?.position ?? 0) + 1);
  let pieces: Buffer[] | null = null;
  let copiedTo = 0;
  for (const { position, edit } of edits) {
    const start = bounds[position] ?? 0;
    const end = (bounds[position + 1] ?? 0) - 1;
    const field = line.subarray(start, end);
    const edited = edit(field);
    if (edited === field) continue;
    (pieces ??= []).push(line.subarray(copiedTo, start), edited);
    copiedTo = end;
  }
  return pieces === null ? line : Buffer.concat([...pieces, line.subarray(copiedTo)]);
}

function editTags(field: Buffer, rules: TagRules, counts: RowCounts): Buffer {
  const json = isEmptyList(field) ? null : decodeField(field, 0, field.length);
  if (json === null) return field;
  const filtered = filterTags(json, rules);
  if (filtered.malformed) counts.malformedTags += 1;
  if (filtered.json === json) return field;
  for (const [reason, number] of Object.entries(filtered.dropped) as [
    keyof RowCounts['tagsDropped'],
    number,
  ][]) {
    counts.tagsDropped[reason] = (counts.tagsDropped[reason] ?? 0) + number;
  }
  return Buffer.from(encodeField(filtered.json));
}

/** `[]` */
function isEmptyList(field: Buffer): boolean {
  return field.length === 2 && field[0] === 0x5b && field[1] === 0x5d;
}

/** `http` */
const http = 0x68747470;

function editUrl(field: Buffer): Buffer {
  if (field.length >= 4 && field.readUInt32BE(0) === http) {
    if (/^https?:\/\//.test(field.toString('latin1', 0, 8))) return field;
  }
  const url = decodeField(field, 0, field.length);
  if (url === null) return field;
  const completed = addUrlScheme(url);
  return completed === url ? field : Buffer.from(encodeField(completed));
}

interface Hook {
  readonly table: string;
  readonly names: readonly string[];
  /** The first fields are the key: the id was looked up by it, so the hook must leave it alone. */
  readonly keyCount: number;
  readonly transform: NonNullable<TableMapping['transform']>;
}

function transformLine(line: Buffer, hook: Hook): Buffer | null {
  const before = decodeFields(line);
  const after = callHook(before, hook);
  if (after === null) return null;
  let isChanged = false;
  const fields = hook.names.map((name, i) => {
    const value = after[name];
    if (value !== null && typeof value !== 'string') {
      throw hookFailed(
        hook,
        before,
        `gave ${value === undefined ? 'no value' : `a ${typeof value}`} for the column ${name}; texts and null are possible`,
      );
    }
    if (value !== before[i] && i < hook.keyCount) {
      throw hookFailed(hook, before, `changed the key column ${name}`);
    }
    isChanged ||= value !== before[i];
    return value;
  });
  return isChanged ? Buffer.from(fields.map(encodeField).join('\t')) : line;
}

function callHook(before: readonly (string | null)[], hook: Hook): TransformRow | null {
  const row: TransformRow = {};
  hook.names.forEach((name, i) => (row[name] = before[i] ?? null));
  let after: TransformRow | null;
  try {
    after = hook.transform(row);
  } catch (error) {
    throw hookFailed(hook, before, `threw: ${messageOf(error)}`, error);
  }
  if (after === null) return null;
  if (after instanceof Promise)
    throw hookFailed(hook, before, 'gave a promise; it must give its row at once');
  if (typeof after !== 'object') throw hookFailed(hook, before, 'gave no row; a row or null is possible');
  const unknown = Object.keys(after).find((name) => !hook.names.includes(name));
  if (unknown !== undefined)
    throw hookFailed(hook, before, `gave the column ${unknown}, which is not copied`);
  return after;
}

function hookFailed(
  hook: Hook,
  before: readonly (string | null)[],
  what: string,
  cause?: unknown,
): FreshetError {
  const key = before.slice(0, hook.keyCount).join(', ');
  return new FreshetError(
    'TRANSFORM_FAILED',
    `The transform hook of ${hook.table} ${what} (record ${key}).`,
    { table: hook.table, key },
    { cause },
  );
}
