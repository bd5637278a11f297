import { setTimeout as sleep } from 'node:timers/promises';
import { FreshetError } from '../errors.js';
import { failpoint } from '../failpoints.js';
import { reindexCancelTimeoutMs, reindexPollMs, reindexTriesMax } from '../limits.js';
import { callEngine } from './call.js';
import type { SearchClient } from './client.js';
import { pause } from '../pause.js';
import { SpaceWatch } from './spaceWatch.js';

/** One `_reindex` request of the engine, carried out as a task of the cluster. */
export interface ReindexRequest {
  readonly from: string;
  /**
   * The index, or an alias of its own writers: then no task can begin once the alias is gone. The engine looks at the alias only when a task
   * begins (seen on OpenSearch 3.8: a running one goes on and creates an index with the alias' name), so tasks are ended before it is removed.
   */
  readonly to: string;
  readonly isAlias: boolean;
  readonly query: object;
  readonly batchDocs: number;
  /** 0 = unlimited. */
  readonly docsPerSecond: number;
  /** For messages: "ids 1 to 1000". */
  readonly what: string;
}

/** What the engine says of a task. */
export interface TaskBody {
  readonly completed: boolean;
  readonly error?: TaskError;
  readonly response?: {
    readonly total: number;
    readonly created: number;
    readonly updated: number;
    readonly version_conflicts: number;
    readonly timed_out: boolean;
    readonly canceled?: string;
    readonly failures: readonly TaskFailure[];
  };
}

interface TaskError {
  readonly type?: string;
  readonly reason?: string;
  readonly caused_by?: TaskError;
}

interface TaskFailure {
  readonly id?: string;
  readonly status?: number;
  readonly cause?: { readonly type?: string; readonly reason?: string };
  readonly reason?: { readonly type?: string; readonly reason?: string };
}

/** How a completed task ended: with so many documents written, or with a fault, of which a passing one may be tried again. Pure. (D41) */
export type TaskOutcome =
  { readonly documents: number } | { readonly fault: string; readonly isPassing: boolean };

export function outcomeOf({ error, response }: TaskBody): TaskOutcome {
  if (error !== undefined) {
    const cause = error.caused_by ?? error;
    const fault = `${error.type ?? 'error'}: ${error.reason || (cause.reason ?? '')}`;
    return { fault, isPassing: isPassing(error.type) || shardsAreMissing(error) };
  }
  if (response === undefined) return { fault: 'the cluster kept no result', isPassing: true };
  const failure = response.failures[0];
  if (failure !== undefined) return failureOutcome(failure, response.failures.length);
  if (response.canceled !== undefined) return lasting(`the task was cancelled (${response.canceled})`);
  if (response.timed_out) return lasting('the task timed out');
  if (response.version_conflicts > 0) return lasting(`${response.version_conflicts} version conflicts`);
  const documents = response.created + response.updated;
  return documents === response.total
    ? { documents }
    : lasting(`${documents} of ${response.total} documents were written`);
}

function lasting(fault: string): Exclude<TaskOutcome, { documents: number }> {
  return { fault, isPassing: false };
}

function failureOutcome(failure: TaskFailure, count: number): TaskOutcome {
  const cause = failure.cause ?? failure.reason;
  const place = failure.id === undefined ? '' : ` for document ${failure.id}`;
  const fault = `${count} failures, first${place}: ${cause?.type ?? 'error'}: ${cause?.reason ?? ''}`;
  return { fault, isPassing: failure.status === 429 || failure.status === 503 || isPassing(cause?.type) };
}

/** A node left, or its search context went with it: the range as a whole can be done again, because writes are by id. */
function isPassing(type: string | undefined): boolean {
  return /node_disconnected|node_not_connected|node_closed|search_context_missing|no_shard_available|rejected_execution/.test(
    type ?? '',
  );
}

/** A cluster that has just restarted brings its shards back one after the other. */
function shardsAreMissing({ type, reason, caused_by: cause }: TaskError): boolean {
  if (type !== 'search_phase_execution_exception') return false;
  return /missing shards|all shards failed/i.test(`${reason ?? ''} ${cause?.reason ?? ''}`);
}

/**
 * Carries out the request and waits for its end; a task that the cluster lost is begun again, which is safe because documents are written by
 * their id. Returns the documents written. An aborted signal ends the waiting only: `endReindexTasks` ends the tasks, those whose begin was
 * not confirmed included. Throws FILTERED_INDEX_FAILED, SEARCH_NO_SPACE, and SEARCH_UNREACHABLE where the cluster lost task after task.
 */
export async function runReindex(
  client: SearchClient,
  request: ReindexRequest,
  signal: AbortSignal,
): Promise<number> {
  const space = new SpaceWatch(client, request.to);
  let outcome: Exclude<TaskOutcome, { documents: number }> = lasting('');
  for (let tries = 1; tries <= reindexTriesMax; tries += 1) {
    await space.waitForRoom(signal);
    const task = await startReindex(client, request, signal);
    failpoint('filtered-index.started');
    const ended = await waitForTask(client, task, space, signal);
    if ('documents' in ended) return ended.documents;
    outcome = ended;
    if (!outcome.isPassing) break;
    await pause(reindexPollMs * tries, signal);
  }
  throw new FreshetError(
    outcome.isPassing ? 'SEARCH_UNREACHABLE' : 'FILTERED_INDEX_FAILED',
    `Copying ${request.what} from ${request.from} to ${request.to} failed: ${outcome.fault}.`,
    { from: request.from, to: request.to },
  );
}

async function startReindex(
  client: SearchClient,
  request: ReindexRequest,
  signal: AbortSignal,
): Promise<string> {
  const { body } = await callEngine<{ task: string }>(client, {
    method: 'POST',
    path: ['_reindex'],
    query: {
      wait_for_completion: false,
      requests_per_second: request.docsPerSecond === 0 ? -1 : request.docsPerSecond,
      ...(request.isAlias ? { require_alias: true } : {}),
    },
    body: {
      source: { index: request.from, size: request.batchDocs, query: request.query },
      dest: { index: request.to },
    },
    what: `copying ${request.what} from ${request.from} to ${request.to}`,
    signal,
  });
  return body.task;
}

async function waitForTask(
  client: SearchClient,
  task: string,
  space: SpaceWatch,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.5, reindexPollMs)) {
    const { status, body } = await callEngine<TaskBody>(client, {
      method: 'GET',
      path: ['_tasks', task],
      what: `looking at the task ${task}`,
      accept: [404],
      repeatable: true,
      signal,
    });
    if (status === 404) return { fault: `the cluster lost the task ${task}`, isPassing: true };
    if (body.completed) return outcomeOf(body);
    await space.look();
    await pause(pauseMs, signal);
  }
}

async function cancelTask(client: SearchClient, task: string): Promise<void> {
  await callEngine(client, {
    method: 'POST',
    path: ['_tasks', task, '_cancel'],
    what: `cancelling the task ${task}`,
    accept: [404],
    repeatable: true,
  });
}

interface TaskList {
  readonly nodes?: Readonly<
    Record<string, { readonly tasks?: Readonly<Record<string, { readonly description?: string }>> }>
  >;
}

/** Reindex tasks of the cluster, whoever began them: id → what it says it does. */
async function describeReindexTasks(client: SearchClient): Promise<[string, string][]> {
  const { body } = await callEngine<TaskList>(client, {
    method: 'GET',
    path: ['_tasks'],
    query: { actions: '*reindex', detailed: true },
    what: 'listing reindex tasks',
    repeatable: true,
  });
  const tasks = Object.values(body.nodes ?? {}).flatMap((node) => Object.entries(node.tasks ?? {}));
  return tasks.map(([id, { description = '' }]) => [id, description]);
}

/** What reindex tasks of the cluster write to now, with the number of tasks. */
export async function listReindexTargets(client: SearchClient): Promise<Map<string, number>> {
  const targets = new Map<string, number>();
  for (const [, description] of await describeReindexTasks(client)) {
    const to = / to \[([^\]]+)\]/.exec(description)?.[1];
    if (to !== undefined) targets.set(to, (targets.get(to) ?? 0) + 1);
  }
  return targets;
}

async function listReindexTasks(client: SearchClient, to: string): Promise<string[]> {
  const tasks = await describeReindexTasks(client);
  return tasks.flatMap(([id, description]) => (description.includes(`to [${to}]`) ? [id] : []));
}

/**
 * Cancels all reindex tasks that write to `to` and waits until they have ended: those of a dead orchestrator run on in the cluster.
 * Throws FILTERED_INDEX_FAILED when they don't end.
 */
export async function endReindexTasks(client: SearchClient, to: string): Promise<void> {
  const deadline = performance.now() + reindexCancelTimeoutMs;
  for (;;) {
    const tasks = await listReindexTasks(client, to);
    if (tasks.length === 0) return;
    if (performance.now() > deadline) {
      throw new FreshetError(
        'FILTERED_INDEX_FAILED',
        `Tasks that write to ${to} do not end: ${tasks.join(', ')}.`,
        { to },
      );
    }
    for (const task of tasks) await cancelTask(client, task);
    await sleep(50);
  }
}
