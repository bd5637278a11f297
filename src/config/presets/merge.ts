/** Every key optional, all the way down; lists and functions are whole values. */
export type DeepPartial<T> = T extends (...parameters: never[]) => unknown
  ? T
  : T extends readonly unknown[]
    ? T
    : T extends object
      ? { [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
      : T;

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `{ env }` or `{ file }`: one value, of which half would be another secret. */
function isReference(value: Record<string, unknown>): boolean {
  const { env, file } = value;
  return typeof env === 'string' || typeof file === 'string';
}

/** `overrides` laid over `base`: objects are merged key by key, everything else (lists, functions, secret references, null) replaces; undefined leaves. */
export function mergeDeep(base: unknown, overrides: unknown): unknown {
  if (overrides === undefined) return base;
  if (!isPlainObject(base) || !isPlainObject(overrides) || isReference(overrides)) return overrides;
  const merged: [string, unknown][] = Object.entries(overrides).map(([key, value]) => [
    key,
    mergeDeep(Object.hasOwn(base, key) ? base[key] : undefined, value),
  ]);
  return { ...base, ...Object.fromEntries(merged) };
}
