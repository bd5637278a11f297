import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeptProcess } from '../../../src/embedded/keptProcess.js';
import { openPartFolder } from '../../../src/embedded/partFolder.js';
import { findPostgresBinaries } from '../../../src/embedded/postgresBinaries.js';
import { startPostgres } from '../../../src/embedded/postgresServer.js';
import { findSearchProgram, startSearch } from '../../../src/embedded/searchServer.js';
import { findServerUser } from '../../../src/embedded/serverUser.js';

/** How a server ends: as its operator stops it, or by `kill -9` of its main process. */
export type End = 'stopped' | 'killed';

/** A server of one test file that can be taken away and comes back at the same address with its data. */
export interface OwnServer {
  readonly url: string;
  end(how: End): Promise<void>;
  start(): Promise<void>;
}

export const serverNames = ['catalog', 'api', 'state', 'search'] as const;
export type ServerName = (typeof serverNames)[number];

/** One of each, on servers of their own: nothing that is taken away hits another one. */
export interface OwnServers extends Readonly<Record<ServerName, OwnServer>> {
  /** Ends all of them and removes their data. */
  close(): Promise<void>;
}

interface Started {
  readonly process: KeptProcess;
  readonly url: string;
}

class RestartableServer implements OwnServer {
  private constructor(
    private readonly launch: (port: number | undefined) => Promise<Started>,
    private running: Started | null,
    readonly url: string,
  ) {}

  static async start(launch: (port: number | undefined) => Promise<Started>): Promise<RestartableServer> {
    const started = await launch(undefined);
    return new RestartableServer(launch, started, started.url);
  }

  async end(how: End): Promise<void> {
    const { running } = this;
    if (running === null) return;
    this.running = null;
    if (how === 'stopped') return running.process.stop();
    process.kill(running.process.pid, 'SIGKILL');
    await running.process.exited;
  }

  /** Backends of a killed Postgres hold its shared memory for a moment longer: then the first start fails. */
  async start(): Promise<void> {
    const port = Number(new URL(this.url).port);
    for (let tries = 1; this.running === null; tries += 1) {
      try {
        this.running = await this.launch(port);
      } catch (error) {
        if (tries === 5) throw error;
        await sleep(500);
      }
    }
  }
}

/** Starts all of them. */
export async function startOwnServers(): Promise<OwnServers> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), 'freshet-faults-'));
  await chmod(folder, 0o711);
  const user = await findServerUser();
  const program = await findSearchProgram(null, undefined, (line) => console.log(line));
  // Durable: a commit that was told must outlive the kill.
  const postgres = async (name: string): Promise<RestartableServer> => {
    const part = await openPartFolder({ folder, name, called: name, temporary: true, user });
    const binaries = await findPostgresBinaries(user);
    return RestartableServer.start(async (port) => {
      const options = { part, binaries, user, durable: true, databases: [] };
      const { process, urlOf } = await startPostgres({ ...options, ...(port === undefined ? {} : { port }) });
      return { process, url: urlOf('postgres') };
    });
  };
  const search = async (): Promise<RestartableServer> => {
    const part = await openPartFolder({
      folder,
      name: 'search',
      called: 'search',
      temporary: true,
      user: null,
    });
    return RestartableServer.start(async (port) => {
      const options = { part, program, heapMb: 512, ...(port === undefined ? {} : { port }) };
      const { process, url } = await startSearch(options);
      return { process, url };
    });
  };
  const [catalog, api, state, engine] = await Promise.all([
    postgres('catalog'),
    postgres('api'),
    postgres('state'),
    search(),
  ]);
  const servers = { catalog, api, state, search: engine };
  return {
    ...servers,
    close: async () => {
      await Promise.all(Object.values(servers).map((server) => server.end('stopped')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
