import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import { loadConfig } from '../config/load.js';
import { environmentOf } from '../config/resolve.js';
import { resolveSecret } from '../config/secrets.js';
import type { Config } from '../config/types.js';
import { workerPort, workerStopMs } from '../limits.js';
import { configOption } from './options.js';
import { startWorker, type RunningWorker } from '../worker/startWorker.js';

interface WorkerCommandOptions {
  readonly environment: string;
  readonly port: number;
  readonly host: string;
  readonly config?: string;
  readonly exitWithParent?: boolean;
}

/** `freshet worker`: the indexer worker, which turns slices of rows into search documents. */
export function workerCommand(): Command {
  return new Command('worker')
    .description('run an indexer worker, which turns slices of rows into search documents on request (HTTP)')
    .requiredOption('--environment <name>', 'the environment whose API database and search cluster it serves')
    .option('--port <port>', 'port; 0 takes any free one', parsePort, workerPort)
    .option('--host <host>', 'loopback host', '127.0.0.1')
    .addOption(configOption())
    .option('--exit-with-parent', 'write the address to stdout when ready, and end when stdin closes')
    .action(runWorker);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

async function runWorker(options: WorkerCommandOptions): Promise<void> {
  const log = pino({ name: 'freshet worker' }, pino.destination({ dest: 2, sync: true }));
  const config = await loadConfig({ cwd: process.cwd(), file: options.config, env: process.env });
  const { environment, host, port } = options;
  const urls = await readUrls(config, environment);
  const worker = await startWorker({ config, environment, ...urls, host, port, log });
  endOnSignal(worker, options.exitWithParent === true, (why) => log.info({ why }, 'worker ends'));
  if (options.exitWithParent) {
    process.stdout.write(`${JSON.stringify({ url: worker.url, pid: process.pid })}\n`);
  }
}

/** The orchestrator hands its children the URLs in variables: they may hold passwords, which argument lists show to everybody. */
async function readUrls(
  config: Config,
  environmentName: string,
): Promise<{ apiUrl: string; searchUrls: string[] }> {
  const { apiUrl, search } = environmentOf(config, environmentName);
  const at = `environments.${environmentName}`;
  const { FRESHET_WORKER_API_URL: givenApi, FRESHET_WORKER_SEARCH_URL: givenSearch } = process.env;
  return {
    apiUrl:
      givenApi || (await resolveSecret(apiUrl ?? { env: 'FRESHET_API_URL' }, process.env, `${at}.apiUrl`)),
    searchUrls: givenSearch
      ? givenSearch.split(',')
      : await Promise.all(
          (search.urls ?? [{ env: 'FRESHET_SEARCH_URL' }]).map((url, index) =>
            resolveSecret(url, process.env, `${at}.search.urls.${index}`),
          ),
        ),
  };
}

function endOnSignal(worker: RunningWorker, exitWithParent: boolean, tell: (why: string) => void): void {
  let ending = false;
  const end = (why: string): void => {
    if (ending) return;
    ending = true;
    tell(why);
    setTimeout(() => process.exit(1), workerStopMs).unref();
    void worker.close(why).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', () => end('the worker got SIGTERM'));
  process.once('SIGINT', () => end('the worker got SIGINT'));
  if (!exitWithParent) return;
  process.stdin.once('end', () => end('its parent ended')).once('close', () => end('its parent ended'));
  process.stdin.resume();
}
