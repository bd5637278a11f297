import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/types.js';
import { FreshetError } from '../errors.js';
import { openSearchClient } from '../search/client.js';
import { prepareTask } from './prepareTask.js';
import { buildServer } from './routes.js';
import { TaskList } from './taskList.js';

export interface WorkerOptions {
  readonly config: Config;
  /** The environment that the URLs belong to; for the log. */
  readonly environment: string;
  readonly apiUrl: string;
  readonly searchUrls: readonly string[];
  /** A loopback host. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly log: FastifyBaseLogger;
}

export interface RunningWorker {
  readonly url: string;
  /** Starts nothing more, cancels running tasks (their slices are given back) and closes. `why` stands in the tasks' error. */
  close(why?: string): Promise<void>;
}

/**
 * Starts the indexer worker. Database and cluster are only reached when a task comes.
 * @throws WORKER_NOT_LOOPBACK, WORKER_PORT_TAKEN.
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { config, environment, apiUrl, host, port, log } = options;
  refuseOtherHosts(host);
  const client = openSearchClient(options.searchUrls);
  const tasks = new TaskList((request) => prepareTask({ apiUrl, client }, request));
  const server = buildServer(config, tasks, log);
  const url = await server.listen({ host, port }).catch((error: unknown) => {
    throw explainListenError(error, host, port);
  });
  log.info({ url, environment }, 'worker ready');
  return {
    url,
    close: async (why = 'the worker is shutting down') => {
      await tasks.close(why);
      await server.close();
      await client.close();
    },
  };
}

/** A worker has no keys yet: whoever reaches it can have it write to the search cluster. */
function refuseOtherHosts(host: string): void {
  if (host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)) return;
  throw new FreshetError(
    'WORKER_NOT_LOOPBACK',
    `A worker cannot listen on ${host}: only loopback is allowed.`,
    {
      host,
    },
  );
}

function explainListenError(error: unknown, host: string, port: number): unknown {
  if ((error as { code?: string }).code !== 'EADDRINUSE') return error;
  return new FreshetError('WORKER_PORT_TAKEN', `Port ${port} of ${host} is taken by another process.`, {
    port,
  });
}
