import { z } from 'zod';

/** Looks through optional, default, nullable, pipes and the like at the schema within. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const { def } = schema._zod;
  if ('innerType' in def) return unwrap(def.innerType as z.core.$ZodType);
  if ('in' in def) return unwrap(def.in as z.core.$ZodType);
  return schema;
}

function branchesOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const inner = unwrap(schema);
  return inner instanceof z.ZodUnion ? inner.options.flatMap(branchesOf) : [inner];
}

function childOf(schema: z.core.$ZodType, key: string): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const child = (schema.shape as Record<string, z.core.$ZodType>)[key];
    return child === undefined ? [] : branchesOf(child);
  }
  if (schema instanceof z.ZodRecord) return branchesOf(schema.valueType);
  if (schema instanceof z.ZodArray) return branchesOf(schema.element);
  return [];
}

/** The keys that an object at `path` of the schema may have. */
export function keysAt(schema: z.core.$ZodType, path: readonly string[]): string[] {
  const at = path.reduce((schemas, key) => schemas.flatMap((one) => childOf(one, key)), branchesOf(schema));
  return at.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : []));
}

/** Every key of the schema, dotted; `<name>` stands for the names of a record. For the guide's completeness test. */
export function listKeys(schema: z.core.$ZodType, prefix = ''): string[] {
  return branchesOf(schema).flatMap((one) => {
    if (one instanceof z.ZodObject) {
      return Object.entries(one.shape as Record<string, z.core.$ZodType>).flatMap(([key, child]) => [
        `${prefix}${key}`,
        ...listKeys(child, `${prefix}${key}.`),
      ]);
    }
    if (one instanceof z.ZodRecord) return listKeys(one.valueType, `${prefix}<name>.`);
    if (one instanceof z.ZodArray) return listKeys(one.element, `${prefix}<item>.`);
    return [];
  });
}
