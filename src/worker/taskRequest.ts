import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Config, MediaConfig } from '../config/types.js';
import type { Slice } from '../indexing/slice.js';
import { parseQualifiedName, tempTableOf, type QualifiedName } from '../postgres/identifiers.js';
import { Refusal } from './refusal.js';

/** A task as it was asked for: valid by itself, table and index not yet looked at. */
export interface TaskRequest {
  readonly taskId: string;
  readonly media: MediaConfig;
  readonly table: QualifiedName;
  readonly targetIndex: string;
  readonly slice: Slice;
  readonly runId: string | null;
  readonly rejectsMax: number;
  /** The target must be an alias. */
  readonly requireAlias: boolean;
}

const idMin = -(2n ** 63n);
const idMax = 2n ** 63n - 1n;
const blockMax = 2 ** 32 - 1;

const idSchema = z
  .union([z.int(), z.string().regex(/^-?\d{1,19}$/)], {
    error: 'must be a whole number, or its decimal text where JSON numbers are not exact (beyond 2^53)',
  })
  .transform((id) => BigInt(id))
  .refine((id) => id >= idMin && id <= idMax, { error: 'must be a number that bigint can hold' });

const blockError = `must be a whole number from 0 to ${blockMax}`;
const blockSchema = z
  .int({ error: blockError })
  .min(0, { error: blockError })
  .max(blockMax, { error: blockError });

const nameSchema = z.string({ error: 'must be a text' }).min(1, { error: 'must not be empty' });

/** What no index name may have: it could name several indexes, or a route of the engine. */
const indexNamePattern = /^[a-z0-9][^A-Z\\/*?"<>| ,#:]*$/;

const bodySchema = z.strictObject({
  model_name: nameSchema,
  table_name: nameSchema,
  target_index: nameSchema
    .max(255, { error: 'must have at most 255 characters' })
    .regex(indexNamePattern, { error: 'must be the name of one index or alias' }),
  start_id: idSchema.optional(),
  end_id: idSchema.optional(),
  start_block: blockSchema.optional(),
  end_block: blockSchema.optional(),
  task_id: z
    .string({ error: 'must be a text' })
    .regex(/^[\w.:-]{1,200}$/, { error: 'must have 1 to 200 letters, digits or any of _ . : -' })
    .optional(),
  run_id: nameSchema.max(200, { error: 'must have at most 200 characters' }).optional(),
  rejects_max: z
    .int({ error: 'must be a whole number of at least 0' })
    .min(0, { error: 'must be a whole number of at least 0' })
    .default(0),
  require_alias: z.boolean({ error: 'must be true or false' }).default(false),
});

type Body = z.infer<typeof bodySchema>;

/** Reads the body of a POST. @throws Refusal 400 with field and reason. */
export function parseTaskRequest(body: unknown, config: Config): TaskRequest {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) throw refuseIssue(parsed.error.issues[0] as z.core.$ZodIssue, body);
  const media = mediaOf(parsed.data, config);
  return {
    taskId: parsed.data.task_id ?? randomUUID(),
    media,
    table: tableOf(parsed.data, media),
    targetIndex: targetOf(parsed.data, media),
    slice: sliceOf(parsed.data),
    runId: parsed.data.run_id ?? null,
    rejectsMax: parsed.data.rejects_max,
    requireAlias: parsed.data.require_alias,
  };
}

function refuseIssue(issue: z.core.$ZodIssue, body: unknown): Refusal {
  if (issue.code === 'unrecognized_keys') {
    return new Refusal(
      400,
      `is not known; known are ${Object.keys(bodySchema.shape).join(', ')}`,
      issue.keys[0],
    );
  }
  const field = issue.path[0];
  if (typeof field !== 'string')
    return new Refusal(400, 'The body must be a JSON object that describes a task.');
  const isMissing = (body as Record<string, unknown>)[field] === undefined;
  return new Refusal(400, isMissing ? 'is missing' : issue.message, field);
}

function mediaOf({ model_name: name }: Body, config: Config): MediaConfig {
  const media = Object.hasOwn(config.media, name) ? config.media[name] : undefined;
  if (media !== undefined) return media;
  const known = Object.keys(config.media).join(', ');
  throw new Refusal(400, `there is no model ${JSON.stringify(name)}; there are: ${known}`, 'model_name');
}

/** A caller cannot have any table read: only the media type's live table and its temp table. */
function tableOf({ table_name: name }: Body, media: MediaConfig): QualifiedName {
  const live = parseQualifiedName(media.main.downstream);
  const asked = name.includes('.') ? parseQualifiedName(name) : { schema: live.schema, name };
  const allowed = [tempTableOf(live), live];
  const table = allowed.find((one) => one.schema === asked.schema && one.name === asked.name);
  if (table !== undefined) return table;
  const names = allowed.map((one) => one.name).join(' or ');
  throw new Refusal(400, `must be ${names}, not ${JSON.stringify(name)}`, 'table_name');
}

/** A task writes to an index that is being built, never to what the API reads now. */
function targetOf({ target_index: name }: Body, { index }: MediaConfig): string {
  if (name !== index.alias && name !== index.filteredAlias) return name;
  throw new Refusal(400, `must not be ${name}, which is the alias that the API reads`, 'target_index');
}

function sliceOf({
  start_id: startId,
  end_id: endId,
  start_block: startBlock,
  end_block: endBlock,
}: Body): Slice {
  const hasIds = startId !== undefined || endId !== undefined;
  const hasBlocks = startBlock !== undefined || endBlock !== undefined;
  if (hasIds && hasBlocks) {
    throw new Refusal(400, 'cannot be given together with start_id and end_id', 'start_block');
  }
  return hasBlocks ? blocksOf(startBlock, endBlock) : idsOf(startId, endId);
}

function idsOf(startId: bigint | undefined, endId: bigint | undefined): Slice {
  if (startId === undefined) {
    throw new Refusal(400, 'is missing (or start_block and end_block instead of ids)', 'start_id');
  }
  if (endId === undefined) throw new Refusal(400, 'is missing', 'end_id');
  if (endId < startId)
    throw new Refusal(400, `must be at least start_id (${startId}), not ${endId}`, 'end_id');
  return { kind: 'ids', startId, endId };
}

function blocksOf(startBlock: number | undefined, endBlock: number | undefined): Slice {
  if (startBlock === undefined) throw new Refusal(400, 'is missing', 'start_block');
  if (endBlock === undefined) throw new Refusal(400, 'is missing', 'end_block');
  if (endBlock <= startBlock) {
    throw new Refusal(
      400,
      `must be above start_block (${startBlock}), not ${endBlock}: it is exclusive`,
      'end_block',
    );
  }
  return { kind: 'blocks', startBlock, endBlock };
}

/** Whether two requests ask for the same. */
export function sameRequest(a: TaskRequest, b: TaskRequest): boolean {
  return describe(a) === describe(b);
}

function describe({ media, ...rest }: TaskRequest): string {
  const withText = (_: string, value: unknown): unknown =>
    typeof value === 'bigint' ? String(value) : value;
  return JSON.stringify([media.name, rest], withText);
}
