import { randomBytes } from 'node:crypto';
import { access, chown, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { FreshetError } from '../errors.js';
import { embeddedPortTriesMax, embeddedPostgresStartMs, embeddedStopMs } from '../limits.js';
import { quoteIdentifier } from '../postgres/identifiers.js';
import { findFreePort } from './freePort.js';
import { readLogTail, runKept, startKept, type KeptProcess, type ServerUser } from './keptProcess.js';
import type { PartFolder } from './partFolder.js';
import type { PostgresBinaries } from './postgresBinaries.js';

const owner = 'freshet';

/** A Postgres cluster of ours that answers. */
export interface PostgresServer {
  readonly process: KeptProcess;
  /** URL of one of its databases, with the password. */
  readonly urlOf: (database: string) => string;
}

export interface PostgresOptions {
  readonly part: PartFolder;
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | null;
  /** False for temporary data: nothing is flushed to the disk, which a crash of the machine would not survive anyway. */
  readonly durable: boolean;
  /** Made where they are missing. */
  readonly databases: readonly string[];
  /** Of 127.0.0.1. Default: any free one, another at every start. */
  readonly port?: number;
}

/** Starts a cluster, new or found in the part's folder, on a port of 127.0.0.1. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const password = await readOrMakePassword(options);
  await makeCluster(options);
  const { process, port } = await startOnFreePort(options, password);
  const urlOf = (database: string) => urlFor(port, password, database);
  try {
    await makeDatabases(urlOf('postgres'), options.databases);
  } catch (error) {
    await process.stop();
    throw error;
  }
  return { process, urlOf };
}

function urlFor(port: number, password: string, database: string): string {
  return `postgres://${owner}:${password}@127.0.0.1:${port}/${database}`;
}

function passwordFile(part: PartFolder): string {
  return join(part.path, 'password');
}

/** The password is random and readable by the server's user alone; initdb reads it from the same file. */
async function readOrMakePassword({ part, user }: PostgresOptions): Promise<string> {
  const file = passwordFile(part);
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known !== '') return known.trim();
  const password = randomBytes(24).toString('hex');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  if (user) await chown(file, user.uid, user.gid);
  return password;
}

/** initdb works in a folder of its own and is renamed when done: one that was interrupted looks finished from outside. */
async function makeCluster(options: PostgresOptions): Promise<void> {
  const { part, binaries, user } = options;
  const data = join(part.path, 'data');
  if (await exists(join(data, 'PG_VERSION'))) return;
  await removeUnfinished(part.path);
  const unfinished = join(part.path, 'data.unfinished');
  await mkdir(unfinished, { mode: 0o700 });
  if (user) await chown(unfinished, user.uid, user.gid);
  const exit = await runKept({
    ...commonSpec(options),
    command: binaries.initdb,
    args: initdbArguments(unfinished, passwordFile(part)),
    user,
  });
  if (exit.code !== 0) throw await partError(part, `initdb ended with ${exit.code ?? exit.signal}`);
  await rename(unfinished, data);
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('data.')) await rm(join(folder, name), { recursive: true });
  }
}

/** The built-in provider's C.UTF-8 sorts by code point and is the same on every system. */
function initdbArguments(data: string, passwords: string): string[] {
  return [
    ...['-D', data, '-U', owner, `--pwfile=${passwords}`, '--auth=scram-sha-256', '--encoding=UTF8'],
    ...[
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ],
  ];
}

/**
 * Settings for bulk loads and index builds on a laptop. `wal_level` stays `replica`, which costs about a tenth of a load's time: what is tested
 * and measured here then writes the WAL that production writes.
 */
function serverSettings(durable: boolean): Record<string, string | number> {
  const unsafe = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '256MB',
    maintenance_work_mem: '256MB',
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    wal_level: 'replica',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    ...(durable ? {} : unsafe),
  };
}

function commonSpec({ part }: PostgresOptions) {
  return {
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    logFile: part.logFile,
    // Fast shutdown writes a checkpoint; immediate shutdown loses nothing either, the next start recovers.
    stopSignals: [
      { signal: 'SIGINT', limitMs: embeddedStopMs },
      { signal: 'SIGQUIT', limitMs: 5_000 },
      { signal: 'SIGKILL', limitMs: 5_000 },
    ],
    holdsStdin: false,
    removeWhenOrphaned: part.removeWhenOrphaned,
    removeEmptyWhenOrphaned: part.removeEmptyWhenOrphaned,
  } as const;
}

async function startOnFreePort(
  options: PostgresOptions,
  password: string,
): Promise<{ process: KeptProcess; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await findFreePort());
    const process = await startServer(options, port);
    if (await waitUntilAnswers(process, urlFor(port, password, 'postgres'))) return { process, port };
    await process.stop();
    const log = await readLogTail(options.part.logFile);
    // Another process took the port between our look and the server's.
    if (log.slice(-1_000).includes('Address already in use') && tries < embeddedPortTriesMax) continue;
    throw await partError(options.part, 'the server did not come up');
  }
}

async function startServer(options: PostgresOptions, port: number): Promise<KeptProcess> {
  const { part, binaries, user, durable } = options;
  const settings = { ...serverSettings(durable), port };
  const process = await startKept({
    ...commonSpec(options),
    command: binaries.postgres,
    args: [
      '-D',
      join(part.path, 'data'),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    user,
  });
  await part.recordKeeper(process.keeperPid);
  return process;
}

async function waitUntilAnswers(server: KeptProcess, url: string): Promise<boolean> {
  const deadline = Date.now() + embeddedPostgresStartMs;
  while (server.exit() === null && Date.now() < deadline) {
    if (await answersPostgres(url)) return true;
    await sleep(50);
  }
  return false;
}

/** Whether a Postgres accepts this URL's user and password. */
export async function answersPostgres(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function makeDatabases(url: string, names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    const missing = names.filter((name) => !rows.some((row) => row.datname === name));
    for (const name of missing) await client.query(`create database ${quoteIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

async function partError(part: PartFolder, reason: string): Promise<FreshetError> {
  const tail = await readLogTail(part.logFile);
  return new FreshetError(
    'EMBEDDED_PART_FAILED',
    `The embedded Postgres for the ${part.called} did not start: ${reason}. Its log ends with:\n${tail}`,
    { log: part.logFile },
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
