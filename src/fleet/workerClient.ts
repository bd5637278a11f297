import { z } from 'zod';
import { FreshetError, messageOf } from '../errors.js';
import { workerCallMs, workerPollMs } from '../limits.js';
import { pause } from '../pause.js';

/** What is called: a worker's address, and whether it is known to be gone. */
interface Callee {
  readonly url: string;
  isGone(): boolean;
}

const healthSchema = z.object({ version: z.string(), documentDigests: z.record(z.string(), z.string()) });

/** What `GET /healthcheck` tells. */
export type WorkerHealth = z.infer<typeof healthSchema>;

/** What a task is asked to do; the names are those of the HTTP interface. */
export interface TaskRequest {
  readonly task_id: string;
  readonly model_name: string;
  readonly table_name: string;
  readonly target_index: string;
  readonly require_alias: boolean;
  readonly run_id: string;
  readonly rejects_max: number;
  readonly start_id?: number;
  readonly end_id?: number;
  readonly start_block?: number;
  readonly end_block?: number;
}

const count = z.number().int().nonnegative();

const taskSchema = z.object({
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  counts: z.object({
    read: count,
    removed: count,
    deleted: count,
    indexed: count,
    rejected: count,
    datesLeftOut: count,
  }),
  rejects: z.array(z.object({ id: z.string(), reason: z.string() })),
  error: z.string().nullable(),
  error_code: z.string().nullable(),
});

/** How a task stands. Its outcome comes from `state`, never from a progress. */
export type TaskStatus = z.infer<typeof taskSchema>;

/** The worker is gone, does not answer, or answers what no worker would: its slice must be given to another one. */
export class WorkerLost extends Error {}

/** The worker is well, but its database or search cluster does not answer: the slice can be tried again later. */
export class WorkerHindered extends Error {}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Calls a worker. Whatever is asked may be asked again: a call that broke off is repeated until `workerCallMs` are over, or until the worker is
 * known to be gone. Throws WorkerLost, or the signal's reason when that ended the call.
 */
async function call(worker: Callee, path: string, signal: AbortSignal, init?: RequestInit): Promise<Answer> {
  const deadline = performance.now() + workerCallMs;
  for (;;) {
    try {
      return await callOnce(`${worker.url}${path}`, deadline - performance.now(), signal, init);
    } catch (error) {
      signal.throwIfAborted();
      if (worker.isGone()) throw new WorkerLost('its process ended', { cause: error });
      if (performance.now() + workerPollMs >= deadline) {
        throw new WorkerLost(`no answer within ${workerCallMs} ms: ${reasonOf(error)}`, { cause: error });
      }
    }
    await pause(workerPollMs, signal);
  }
}

async function callOnce(
  url: string,
  limitMs: number,
  signal: AbortSignal,
  init: RequestInit | undefined,
): Promise<Answer> {
  // Not AbortSignal.any: of each call it would leave some bytes with the run's signal, and there is one five times a second, for hours.
  const ended = new AbortController();
  const abort = (): void => ended.abort();
  const timer = setTimeout(abort, Math.max(1, limitMs));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const answer = await fetch(url, { ...init, signal: ended.signal });
    return { status: answer.status, body: await answer.json() };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Node's `fetch failed` says nothing, its cause does. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? messageOf(cause) : messageOf(error);
}

function parse<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new WorkerLost(`its answer is not ${what}`);
}

export async function readHealth(worker: Callee, signal: AbortSignal): Promise<WorkerHealth> {
  const { status, body } = await call(worker, '/healthcheck', signal);
  if (status !== 200) throw new WorkerLost(`its health check answered ${status}`);
  return parse(healthSchema, body, "a worker's health");
}

/**
 * Starts a task; the same id again is the same task. A refusal (400, 404) is an error of the run: every worker would refuse. 503 says that the
 * worker does not reach its database or cluster.
 */
export async function startTask(worker: Callee, request: TaskRequest, signal: AbortSignal): Promise<void> {
  const { status, body } = await call(worker, '/reindexing_task', signal, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  if (status === 202 || status === 200) return;
  const message = (body as { message?: string } | null)?.message ?? JSON.stringify(body);
  if (status === 503) throw new WorkerHindered(message);
  if (status === 400 || status === 404) {
    throw new FreshetError('WORKER_REFUSED_TASK', `The worker refused the task: ${message}`, {
      task: request.task_id,
    });
  }
  throw new WorkerLost(`it answered ${status}: ${message}`);
}

export async function readTask(worker: Callee, taskId: string, signal: AbortSignal): Promise<TaskStatus> {
  const { status, body } = await call(worker, `/task/${encodeURIComponent(taskId)}`, signal);
  if (status !== 200) throw new WorkerLost(`it does not know task ${taskId} (answer ${status})`);
  return parse(taskSchema, body, 'the status of a task');
}
