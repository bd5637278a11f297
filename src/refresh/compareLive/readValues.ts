import { decodeField, encodeField } from '../../postgres/copyText.js';
import type { Session } from '../../postgres/session.js';
import type { TypedField, ValuesToRead } from './rowColumns.js';

/** A row's fields as COPY writes them. */
export interface FieldRow {
  readonly fields: Buffer[];
  /** Whether the copy would change it. */
  readonly isChanged: boolean;
}

/**
 * Gives values the text that the API database writes for them when its columns have taken them, in place: `1.50` becomes `1.5`, a JSON object's
 * keys come in their order. A value that a column would refuse stays as it is, and so differs from everything that can be there.
 */
export async function readAsLiveTypes(
  api: Session,
  rows: readonly FieldRow[],
  { always, whenChanged }: ValuesToRead,
): Promise<void> {
  for (const field of always) await readField(api, rows, field);
  const changed = rows.filter(({ isChanged }) => isChanged);
  if (changed.length === 0) return;
  for (const field of whenChanged) await readField(api, changed, field);
}

async function readField(api: Session, rows: readonly FieldRow[], field: TypedField): Promise<void> {
  const texts = rows.map(({ fields }) => {
    const bytes = fields[field.place] ?? Buffer.alloc(0);
    return decodeField(bytes, 0, bytes.length);
  });
  const read = (await castAll(api, texts, field)) ?? (await castEach(api, texts, field));
  for (const [i, { fields }] of rows.entries()) {
    fields[field.place] = Buffer.from(encodeField(read[i] ?? null));
  }
}

/** `concat` writes a value as COPY does; a cast to text would write `true` for `t`. Null where one of the values is refused. */
async function castAll(
  api: Session,
  texts: readonly (string | null)[],
  { type }: TypedField,
): Promise<(string | null)[] | null> {
  try {
    const { rows } = await api.query<{ text: string | null }>(
      `select case when raw is not null then concat(raw::${type}) end as text from unnest($1::text[]) with ordinality as given (raw, place) order by place`,
      [texts],
    );
    return rows.map(({ text }) => text);
  } catch (error) {
    if (/^2[23]/.test(String((error as { code?: unknown }).code))) return null;
    throw error;
  }
}

async function castEach(
  api: Session,
  texts: readonly (string | null)[],
  field: TypedField,
): Promise<(string | null)[]> {
  const read: (string | null)[] = [];
  for (const text of texts) read.push(((await castAll(api, [text], field)) ?? [text])[0] ?? null);
  return read;
}
