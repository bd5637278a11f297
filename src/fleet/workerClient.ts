import { FreshetError, messageOf } from '../errors.js';
import { workerCallMs } from '../limits.js';
import type { SliceCounts } from '../state/slices.js';

/** What `GET /healthcheck` tells. */
export interface WorkerHealth {
  readonly version: string;
  readonly documentDigests: Readonly<Record<string, string>>;
}

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

export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

/** How a task stands. Its outcome comes from `state`, never from `progress`. */
export interface TaskStatus {
  readonly state: TaskState;
  readonly progress: number;
  readonly counts: SliceCounts;
  readonly rejects: readonly { id: string; reason: string }[];
  readonly error: string | null;
  readonly error_code: string | null;
}

/** The worker answered that it does not know the task, or did not answer at all: the slice must be given to another try. */
export class WorkerLost extends Error {}

async function call(url: string, init?: RequestInit): Promise<{ status: number; body: unknown }> {
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(workerCallMs) });
    return { status: answer.status, body: await answer.json() };
  } catch (error) {
    throw new WorkerLost(`no answer from the worker: ${messageOf(error)}`, { cause: error });
  }
}

export async function readHealth(workerUrl: string): Promise<WorkerHealth> {
  const { status, body } = await call(`${workerUrl}/healthcheck`);
  if (status !== 200) throw new WorkerLost(`the worker's health check answered ${status}`);
  return body as WorkerHealth;
}

/** Starts a task; the same id again is the same task. A refusal (400, 404) is an error of the run: every worker would refuse. */
export async function startTask(workerUrl: string, request: TaskRequest): Promise<void> {
  const { status, body } = await call(`${workerUrl}/reindexing_task`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  if (status === 202 || status === 200) return;
  const message = (body as { message?: string }).message ?? JSON.stringify(body);
  if (status === 400 || status === 404) {
    throw new FreshetError('WORKER_REFUSED_TASK', `The worker refused the task: ${message}`, {
      task: request.task_id,
    });
  }
  throw new WorkerLost(`the worker answered ${status}: ${message}`);
}

export async function readTask(workerUrl: string, taskId: string): Promise<TaskStatus> {
  const { status, body } = await call(`${workerUrl}/task/${encodeURIComponent(taskId)}`);
  if (status !== 200) throw new WorkerLost(`the worker does not know task ${taskId} (answer ${status})`);
  return body as TaskStatus;
}
