/** Our mark on an index, in its mapping's `_meta.freshet`: only marked indexes are ever deleted, and live and previous are known from it without the state. */
export interface IndexMark {
  readonly runId: string;
  readonly media: string;
  readonly role: 'main' | 'filtered';
  /** Version of freshet that created it. */
  readonly version: string;
}

/** The mark in a mapping that the engine returned, or null. */
export function markIn(mapping: { readonly _meta?: unknown }): IndexMark | null {
  const meta = mapping._meta;
  const mark = isRecord(meta) ? meta['freshet'] : undefined;
  if (!isRecord(mark)) return null;
  const { runId, media, role, version } = mark;
  if (typeof runId !== 'string' || typeof media !== 'string' || typeof version !== 'string') return null;
  return role === 'main' || role === 'filtered' ? { runId, media, role, version } : null;
}

/** The mapping with the mark in it; a `_meta` that the definition has stays. */
export function withMark(
  mappings: Readonly<Record<string, unknown>>,
  mark: IndexMark,
): Record<string, unknown> {
  const meta = mappings['_meta'];
  return { ...mappings, _meta: { ...(isRecord(meta) ? meta : {}), freshet: mark } };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
