import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
} from 'fastify';
import type { Config } from '../config/types.js';
import { documentDigest } from '../documents/digest.js';
import { workerBodyBytesMax } from '../limits.js';
import { version } from '../version.js';
import { Refusal } from './refusal.js';
import type { Task } from './task.js';
import type { TaskList } from './taskList.js';
import { parseTaskRequest } from './taskRequest.js';

/** What `GET /healthcheck` answers. Workers of one run must have the same version and digests. */
interface WorkerHealth {
  readonly status: 'ok';
  readonly version: string;
  /** Media type → digest of its document builder. */
  readonly documentDigests: Readonly<Record<string, string>>;
}

/** The worker's HTTP interface. */
export function buildServer(config: Config, tasks: TaskList, log: FastifyBaseLogger): FastifyInstance {
  const server = fastify({
    loggerInstance: log,
    // A task is polled several times a second.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: workerBodyBytesMax,
    forceCloseConnections: true,
    // Task ids have up to 200 characters; the router's own limit is 100.
    routerOptions: { maxParamLength: 1_000 },
  });
  // A web page may send text to a loopback port unasked; JSON it may not.
  server.removeContentTypeParser('text/plain');
  addErrorAnswers(server);
  addTaskRoutes(server, config, tasks);
  const health = describeHealth(config);
  server.get('/healthcheck', () => health);
  return server;
}

function describeHealth(config: Config): WorkerHealth {
  const digests = Object.values(config.media).map((media) => [media.name, documentDigest(media.document)]);
  return { status: 'ok', version, documentDigests: Object.fromEntries(digests) as Record<string, string> };
}

function addTaskRoutes(server: FastifyInstance, config: Config, tasks: TaskList): void {
  for (const path of ['/reindexing_task', '/task']) {
    server.post(path, async (request, reply) => {
      const task = await tasks.start(parseTaskRequest(request.body, config));
      const { taskId } = task.request;
      const statusCheck = `${request.protocol}://${request.host}/task/${encodeURIComponent(taskId)}`;
      request.log.info({ task: taskId, target: task.request.targetIndex }, 'task accepted');
      return reply.code(202).send({
        message: 'Successfully scheduled task',
        task_id: taskId,
        status_check: statusCheck,
      });
    });
  }
  server.get('/task', () => tasks.all().map((task) => task.status()));
  server.get<{ Params: { taskId: string } }>('/task/:taskId', ({ params }) =>
    findTask(tasks, params).status(),
  );
  server.delete<{ Params: { taskId: string } }>('/task/:taskId', async ({ params }) => {
    const task = findTask(tasks, params);
    task.cancel('by request');
    await task.finished;
    return task.status();
  });
}

function findTask(tasks: TaskList, { taskId }: { taskId: string }): Task {
  const task = tasks.find(taskId);
  if (task === undefined)
    throw new Refusal(404, `There is no task ${JSON.stringify(taskId)} in this worker.`);
  return task;
}

function addErrorAnswers(server: FastifyInstance): void {
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ message: `There is no ${request.method} ${request.url.split('?')[0] ?? ''}.` }),
  );
  server.setErrorHandler<FastifyError>((error, request, reply) => {
    if (error instanceof Refusal) return reply.code(error.status).send(error.toBody());
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error(error, 'request failed');
    return reply.code(status).send({ message: error.message });
  });
}
