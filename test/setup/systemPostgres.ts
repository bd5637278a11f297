import { randomBytes } from 'node:crypto';
import { access, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from '../../src/embedded/freePort.js';
import { readLogTail, runKept, startKept } from '../../src/embedded/keptProcess.js';
import { answersPostgres } from '../../src/embedded/postgresServer.js';
import { findServerUser } from '../../src/embedded/serverUser.js';

/** Where packages of Debian and its kin put the programs of Postgres 15; another place can be named. */
const programs = process.env['FRESHET_TEST_POSTGRES_15'] ?? '/usr/lib/postgresql/15/bin';

/** A server of the system's Postgres 15 that belongs to one test file, with logical decoding. It ends with this process, however that ends. */
export interface SystemPostgres {
  readonly url: string;
  /** `pg_dump` of the same release: an older one refuses to dump a newer server. */
  readonly pgDump: string;
  stop(): Promise<void>;
}

/** Why tests on Postgres 15 are not run here; null = they can be. */
export async function whyNoSystemPostgres(): Promise<string | null> {
  const found = await Promise.all(
    ['initdb', 'postgres', 'pg_dump'].map((name) =>
      access(join(programs, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.every(Boolean) ? null : `not run: there is no Postgres 15 in ${programs}`;
}

/** Makes a cluster in a temporary folder and starts it on a free port of 127.0.0.1. */
export async function startSystemPostgres(): Promise<SystemPostgres> {
  const user = await findServerUser();
  const folder = await mkdtemp(join(tmpdir(), 'freshet-postgres-15-'));
  await chmod(folder, 0o700);
  const password = randomBytes(24).toString('hex');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  for (const path of [folder, passwordFile]) if (user) await chown(path, user.uid, user.gid);
  const data = join(folder, 'data');
  const common = {
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    user,
    logFile: `${folder}.log`,
    stopSignals: [
      { signal: 'SIGINT', limitMs: 20_000 },
      { signal: 'SIGKILL', limitMs: 5_000 },
    ],
    holdsStdin: false,
    removeWhenOrphaned: [folder, `${folder}.log`],
    removeEmptyWhenOrphaned: null,
  } as const;
  const initArguments = ['-D', data, '-U', 'freshet', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  const made = await runKept({
    ...common,
    command: join(programs, 'initdb'),
    args: [...initArguments, '--encoding=UTF8', '--locale=C', '--no-sync'],
  });
  if (made.code !== 0) throw new Error(`initdb failed: ${await readLogTail(common.logFile)}`);
  const port = await findFreePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'wal_level=logical',
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'timezone=UTC',
  ];
  const server = await startKept({
    ...common,
    command: join(programs, 'postgres'),
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
  });
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    await rm(common.logFile, { force: true });
  };
  const url = `postgres://freshet:${password}@127.0.0.1:${port}/postgres`;
  const deadline = Date.now() + 30_000;
  while (!(await answersPostgres(url))) {
    if (server.exit() === null && Date.now() < deadline) {
      await delay(50);
      continue;
    }
    const log = await readLogTail(common.logFile);
    await stop();
    throw new Error(`Postgres 15 did not start: ${log}`);
  }
  return { url, pgDump: join(programs, 'pg_dump'), stop };
}
