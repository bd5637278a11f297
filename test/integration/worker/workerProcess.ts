import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TaskStatus } from '../../../src/worker/task.js';

const entry = fileURLToPath(new URL('workerEntry.ts', import.meta.url));
const taskMs = 60_000;
const pollMs = 25;

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** A real worker in a process of its own. */
export class WorkerProcess {
  private constructor(
    readonly child: ChildProcessWithoutNullStreams,
    readonly url: string,
    readonly pid: number,
    readonly log: readonly string[],
  ) {}

  static async start(
    urls: { apiUrl: string; searchUrl: string },
    environment: Record<string, string> = {},
  ): Promise<WorkerProcess> {
    const parameters = ['--environment', 'local', '--port', '0', '--exit-with-parent'];
    const child = spawn(process.execPath, ['--import', 'jiti/register', entry, ...parameters], {
      env: {
        ...process.env,
        FRESHET_WORKER_API_URL: urls.apiUrl,
        FRESHET_WORKER_SEARCH_URL: urls.searchUrl,
        ...environment,
      },
    });
    const log: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
    const lines = createInterface({ input: child.stdout });
    const ready = await Promise.race([
      once(lines, 'line').then(([line]) => JSON.parse(String(line)) as { url: string; pid: number }),
      once(child, 'exit').then(() => Promise.reject(new Error(`The worker ended:\n${log.join('\n')}`))),
    ]);
    return new WorkerProcess(child, ready.url, ready.pid, log);
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await fetch(this.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  async post(body: Record<string, unknown>): Promise<Answer> {
    return this.call('POST', '/reindexing_task', body);
  }

  async status(taskId: string): Promise<TaskStatus> {
    const { body } = await this.call('GET', `/task/${taskId}`);
    return body as unknown as TaskStatus;
  }

  /** Polls until `until` holds. */
  async waitFor(taskId: string, until: (status: TaskStatus) => boolean): Promise<TaskStatus> {
    const deadline = Date.now() + taskMs;
    for (;;) {
      const status = await this.status(taskId);
      if (until(status)) return status;
      if (Date.now() > deadline)
        throw new Error(`The task is not there in time: ${JSON.stringify(status)}\n${this.log.join('\n')}`);
      await delay(pollMs);
    }
  }

  /** Posts a task and waits for its end. */
  async run(body: Record<string, unknown>): Promise<TaskStatus> {
    const answer = await this.post(body);
    if (answer.status !== 202) throw new Error(`The task was refused: ${JSON.stringify(answer)}`);
    return this.waitFor(String(answer.body['task_id']), (status) => !status.active);
  }

  /** Sends `signal` and gives the exit status and signal that it ended with. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<[number | null, NodeJS.Signals | null]> {
    if (this.child.exitCode !== null || this.child.signalCode !== null)
      return [this.child.exitCode, this.child.signalCode];
    const exited = once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    this.child.kill(signal);
    return exited;
  }
}
