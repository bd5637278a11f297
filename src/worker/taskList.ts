import { workerTasksAtOnceMax, workerTasksRememberedMax } from '../limits.js';
import { Refusal } from './refusal.js';
import { Task, type TaskWork } from './task.js';
import { sameRequest, type TaskRequest } from './taskRequest.js';

/** Looks at table and index. Gives the work to do, or throws a Refusal. */
export type TaskPreparation = (request: TaskRequest) => Promise<TaskWork>;

/** The tasks of a worker, in memory only: a worker that died has none, and its slices are given to others. */
export class TaskList {
  readonly #tasks = new Map<string, Task>();
  /** Tasks whose table and index are being looked at: a second POST with the same id waits for the first. */
  readonly #starting = new Map<string, { readonly request: TaskRequest; readonly task: Promise<Task> }>();
  #closing = false;

  constructor(readonly prepare: TaskPreparation) {}

  find(taskId: string): Task | undefined {
    return this.#tasks.get(taskId);
  }

  all(): Task[] {
    return [...this.#tasks.values()];
  }

  /**
   * Starts a task; the same id again gives the same task, never a second one.
   * @throws Refusal when it cannot be started, or when the id is that of a task that asks for something else.
   */
  async start(request: TaskRequest): Promise<Task> {
    const known = this.#tasks.get(request.taskId);
    if (known !== undefined) return same(known.request, request, known);
    const starting = this.#starting.get(request.taskId);
    if (starting !== undefined) return same(starting.request, request, await starting.task);
    this.#refuseWhenFull();
    const task = this.#startNew(request);
    this.#starting.set(request.taskId, { request, task });
    try {
      return await task;
    } finally {
      this.#starting.delete(request.taskId);
    }
  }

  /** Starts nothing more, cancels what runs and waits for its end. */
  async close(why: string): Promise<void> {
    this.#closing = true;
    const active = this.all().filter((task) => task.active);
    for (const task of active) task.cancel(why);
    await Promise.all(active.map((task) => task.finished));
  }

  async #startNew(request: TaskRequest): Promise<Task> {
    const work = await this.prepare(request);
    this.#refuseWhenClosing();
    const task = new Task(request, work);
    this.#tasks.set(request.taskId, task);
    this.#forgetOldest();
    return task;
  }

  #refuseWhenFull(): void {
    this.#refuseWhenClosing();
    const active = this.all().filter((task) => task.active).length + this.#starting.size;
    if (active >= workerTasksAtOnceMax) {
      throw new Refusal(
        429,
        `The worker has ${active} tasks, which is its limit; ask again when one is over.`,
      );
    }
  }

  #refuseWhenClosing(): void {
    if (this.#closing) throw new Refusal(503, 'The worker is shutting down; give the slice to another.');
  }

  #forgetOldest(): void {
    for (const [taskId, task] of this.#tasks) {
      if (this.#tasks.size <= workerTasksRememberedMax) return;
      if (!task.active) this.#tasks.delete(taskId);
    }
  }
}

function same(first: TaskRequest, again: TaskRequest, task: Task): Task {
  if (sameRequest(first, again)) return task;
  throw new Refusal(409, 'is that of another task, which asks for something else', 'task_id');
}
